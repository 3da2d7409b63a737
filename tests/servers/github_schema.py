"""The part of GitHub's published GraphQL schema that history is read from.

GitHub has more than this; everything here has GitHub's name, type and arguments.
"""

from __future__ import annotations

import graphql

_COMMON = """
  id: ID!
  url: URI!
  author: Actor
  authorAssociation: CommentAuthorAssociation!
  body: String!
  createdAt: DateTime!
  updatedAt: DateTime!
"""
_PAGED = "after: String, before: String, first: Int, last: Int"
_NUMBERED = f"""{_COMMON}
  number: Int!
  databaseId: Int
  fullDatabaseId: BigInt
  title: String!
  closed: Boolean!
  closedAt: DateTime
  locked: Boolean!
  comments({_PAGED}, orderBy: IssueCommentOrder): IssueCommentConnection!
"""


def _connection(kind: str, more: str = "") -> str:
    return f"""
type {kind}Connection {{ nodes: [{kind}] edges: [{kind}Edge] pageInfo: PageInfo! totalCount: Int! {more} }}
type {kind}Edge {{ node: {kind} cursor: String! }}
"""


_ACCOUNT = "login: String! url: URI! avatarUrl(size: Int): URI! resourcePath: URI!"
SDL = f"""
scalar URI
scalar DateTime
scalar BigInt
scalar GitObjectID

enum OrderDirection {{ ASC DESC }}
enum IssueOrderField {{ COMMENTS CREATED_AT UPDATED_AT }}
enum DiscussionOrderField {{ CREATED_AT UPDATED_AT }}
enum IssueCommentOrderField {{ UPDATED_AT }}
enum IssueState {{ CLOSED OPEN }}
enum PullRequestState {{ CLOSED MERGED OPEN }}
enum PullRequestReviewState {{ APPROVED CHANGES_REQUESTED COMMENTED DISMISSED PENDING }}
enum DiscussionStateReason {{ DUPLICATE OUTDATED REOPENED RESOLVED }}
enum SearchType {{ DISCUSSION ISSUE ISSUE_ADVANCED REPOSITORY USER }}
enum CommentAuthorAssociation {{
  COLLABORATOR CONTRIBUTOR FIRST_TIMER FIRST_TIME_CONTRIBUTOR MANNEQUIN MEMBER NONE OWNER
}}
input IssueOrder {{ direction: OrderDirection! field: IssueOrderField! }}
input DiscussionOrder {{ direction: OrderDirection! field: DiscussionOrderField! }}
input IssueCommentOrder {{ direction: OrderDirection! field: IssueCommentOrderField! }}
input IssueFilters {{ since: DateTime states: [IssueState!] }}

interface Node {{ id: ID! }}
interface Actor {{ {_ACCOUNT} }}
type User implements Node & Actor {{ id: ID! databaseId: Int name: String email: String! {_ACCOUNT} }}
type Bot implements Node & Actor {{ id: ID! databaseId: Int {_ACCOUNT} }}
type Mannequin implements Node & Actor {{ id: ID! databaseId: Int email: String {_ACCOUNT} }}
type Organization implements Node & Actor {{ id: ID! databaseId: Int name: String {_ACCOUNT} }}

type PageInfo {{ endCursor: String hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String }}
type RateLimit {{
  cost: Int! limit: Int! nodeCount: Int! remaining: Int! resetAt: DateTime! used: Int!
}}
type Commit implements Node {{ id: ID! oid: GitObjectID! }}
type Ref implements Node {{ id: ID! name: String! }}

type Repository implements Node {{
  id: ID! databaseId: Int name: String! nameWithOwner: String! url: URI! owner: Actor!
  defaultBranchRef: Ref hasDiscussionsEnabled: Boolean! isPrivate: Boolean! isArchived: Boolean!
  issue(number: Int!): Issue
  issues({_PAGED}, orderBy: IssueOrder, states: [IssueState!], filterBy: IssueFilters): IssueConnection!
  pullRequest(number: Int!): PullRequest
  pullRequests({_PAGED}, orderBy: IssueOrder, states: [PullRequestState!]): PullRequestConnection!
  discussion(number: Int!): Discussion
  discussions({_PAGED}, orderBy: DiscussionOrder, answered: Boolean): DiscussionConnection!
}}
type Issue implements Node {{ {_NUMBERED} state: IssueState! }}
type IssueComment implements Node {{ {_COMMON} databaseId: Int fullDatabaseId: BigInt }}
type PullRequest implements Node {{ {_NUMBERED}
  state: PullRequestState! isDraft: Boolean! merged: Boolean! mergedAt: DateTime mergedBy: Actor
  mergeCommit: Commit headRefName: String! headRefOid: GitObjectID! baseRefName: String!
  reviews({_PAGED}, states: [PullRequestReviewState!], author: String): PullRequestReviewConnection
}}
type PullRequestReview implements Node {{ {_COMMON}
  databaseId: Int fullDatabaseId: BigInt state: PullRequestReviewState! submittedAt: DateTime
  commit: Commit pullRequest: PullRequest!
}}
type DiscussionCategory implements Node {{
  id: ID! name: String! slug: String! emoji: String! isAnswerable: Boolean!
}}
type Discussion implements Node {{ {_COMMON}
  number: Int! databaseId: Int title: String! closed: Boolean! closedAt: DateTime locked: Boolean!
  stateReason: DiscussionStateReason category: DiscussionCategory! isAnswered: Boolean
  answer: DiscussionComment answerChosenAt: DateTime answerChosenBy: Actor
  comments({_PAGED}): DiscussionCommentConnection!
}}
type DiscussionComment implements Node {{ {_COMMON}
  databaseId: Int isAnswer: Boolean! discussion: Discussion replyTo: DiscussionComment
  replies({_PAGED}): DiscussionCommentConnection!
}}
union SearchResultItem = Issue | PullRequest | Discussion
type SearchResultItemConnection {{
  discussionCount: Int! issueCount: Int! nodes: [SearchResultItem] pageInfo: PageInfo!
}}
{_connection("Issue")}{_connection("IssueComment")}{_connection("PullRequest")}
{_connection("PullRequestReview")}{_connection("Discussion")}{_connection("DiscussionComment")}

type Query {{
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]!
  rateLimit(dryRun: Boolean): RateLimit
  repository(owner: String!, name: String!, followRenames: Boolean = true): Repository
  search({_PAGED}, query: String!, type: SearchType!): SearchResultItemConnection!
}}
"""
SCHEMA = graphql.build_schema(SDL)
