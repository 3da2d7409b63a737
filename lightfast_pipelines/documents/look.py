"""One look at a linked repository: makes its documents those of the default branch's head.

What comes out is a function of that commit: pushes that arrive in another order, twice or together end
in the same rows. Files are written in batches, each in a transaction of its own, and those that are
already right are not fetched, so a look that was killed goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.documents.repository import Repository
from lightfast_pipelines.documents.selection import Selection, select
from lightfast_pipelines.domain.document_chunks import (
    RULE_VERSION,
    Chunk,
    ChunkedDocument,
    UnreadableDocumentError,
    chunk_document,
)
from lightfast_pipelines.domain.secrets.masking import mask_text
from lightfast_pipelines.embedding.embedder import Embedder
from lightfast_pipelines.embedding.pgvector import literal
from lightfast_pipelines.providers.files_contract import BranchHead, FileChange, TreeEntry
from lightfast_pipelines.store import activity, documents
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.document_queue import QueuedLook, take_off
from lightfast_pipelines.store.documents import DocumentRow, StoredVersion
from lightfast_pipelines.store.sources import Source, name_resource

MOST_BYTES = 1_000_000
"""Size of a document; the contents API hands out at most 1 MiB."""
_FILES_AT_ONCE = 20


@dataclass(slots=True)
class LookReport:
    """What one look found and did; `error` says why it was put off."""

    source: str
    workspace: str
    reason: str
    status: str = ""
    message: str = ""
    commit_sha: str | None = None
    documents: int = 0
    fetched: int = 0
    gone: int = 0
    skipped: int = 0
    chunks: int = 0
    requests: int = 0
    error: str | None = None

    def shown(self) -> dict[str, object]:
        """The row that an operator sees."""
        return {
            "repository": self.source,
            "workspace": self.workspace,
            "because": self.reason,
            "config": self.status,
            "config_message": self.message,
            "commit": self.commit_sha,
            "documents": self.documents,
            "fetched": self.fetched,
            "gone": self.gone,
            "skipped": self.skipped,
            "chunks": self.chunks,
            "requests": self.requests,
            "error": self.error,
        }


class Look:
    """A look at one integration's repository; the caller holds its lock."""

    def __init__(
        self,
        conn: Connection,
        repository: Repository,
        source: Source,
        embedder: Embedder,
        report: LookReport,
        *,
        clock: Callable[[], datetime],
        actor: str,
    ) -> None:
        self._conn, self._repository, self._source = conn, repository, source
        self._embedder, self._report = embedder, report
        self._clock, self._actor = clock, actor
        self._missing: list[str] = []

    def run(self, queued: QueuedLook) -> None:
        """Raises CallFailedError, UnlinkedError, and ValueError, LookupError or TypeError for an answer
        of another form. Then the row of the queue stays."""
        known = documents.documents_of(self._conn, self._source.integration_id)
        self._conn.rollback()
        self._identify()
        head = self._repository.head()
        if head is None:
            nothing = Selection("absent", "nothing was pushed to the default branch yet", {}, {})
            self._finish(queued, nothing)
            return
        self._report.commit_sha = head.change.commit_sha
        entries = self._repository.entries(head)
        selection = select(self._repository, head, entries, known.settings)
        if selection.chosen is not None:
            self._bring_up_to_date(head, selection.chosen, known, selection)
        self._finish(queued, selection)

    def _identify(self) -> None:
        self._repository.identify()
        place = self._repository.place
        if (place.resource_name, place.meta) != (self._source.resource_name, self._source.meta):
            name_resource(self._conn, self._source, place.resource_name, place.meta)
            self._conn.commit()

    def _bring_up_to_date(
        self,
        head: BranchHead,
        chosen: Mapping[str, TreeEntry],
        known: documents.IntegrationDocuments,
        selection: Selection,
    ) -> None:
        stored = documents.stored_versions(self._conn, self._source.integration_id)
        self._conn.rollback()
        to_fetch = [
            path for path, entry in sorted(chosen.items()) if not self._is_current(stored, entry)
        ]
        is_same = known.commit_sha == head.change.commit_sha and known.asked == selection.asked
        if is_same and not to_fetch:
            return
        changes = self._repository.changes(head, sorted(chosen))
        self._date(
            [
                self._row(chosen[path], changes[path])
                for path in sorted(chosen.keys() - set(to_fetch))
                if stored[path].commit_sha != changes[path].commit_sha
            ]
        )
        for start in range(0, len(to_fetch), _FILES_AT_ONCE):
            some = to_fetch[start : start + _FILES_AT_ONCE]
            self._fetch([(chosen[path], changes[path]) for path in some], head)

    def _is_current(self, stored: Mapping[str, StoredVersion], entry: TreeEntry) -> bool:
        version = stored.get(entry.path)
        return (
            version is not None
            and (version.blob_sha, version.model) == (entry.sha, self._embedder.name)
            and version.rule_version >= RULE_VERSION
        )

    def _row(
        self, entry: TreeEntry, change: FileChange, *, title: str = "", skipped: str | None = None
    ) -> DocumentRow:
        return DocumentRow(
            path=entry.path,
            title=title,
            url=self._repository.page(entry.path, change.commit_sha),
            commit_sha=change.commit_sha,
            commit_key=change.commit_key,
            blob_sha=entry.sha,
            changed_at=change.changed_at,
            changed_by=mask_text((change.changed_by or "").replace("\0", "")) or None,
            size=entry.size,
            skipped=skipped,
        )

    @property
    def _name(self) -> str:
        place = self._repository.place
        return place.resource_name or place.resource_id

    def _date(self, rows: Sequence[DocumentRow]) -> None:
        if not rows:
            return
        documents.hold_integration(self._conn, self._source.integration_id)
        for row in rows:
            documents.date_document(self._conn, self._source.integration_id, self._name, row)
        self._conn.commit()

    def _fetch(self, files: Sequence[tuple[TreeEntry, FileChange]], head: BranchHead) -> None:
        """Fetches, divides and embeds some files, then writes them together."""
        made: list[tuple[DocumentRow, Sequence[Chunk]]] = []
        for entry, change in files:
            try:
                document = self._read(entry, head)
            except UnreadableDocumentError as error:
                name = entry.path.rpartition("/")[2]
                made.append((self._row(entry, change, title=name, skipped=str(error)), ()))
                continue
            if document is None:
                self._missing.append(entry.path)
            else:
                made.append((self._row(entry, change, title=document.title), document.chunks))
        texts = [chunk.embedded_text for _, chunks in made for chunk in chunks]
        vectors = iter(self._embedder.embed(texts))
        documents.hold_integration(self._conn, self._source.integration_id)
        for row, chunks in made:
            documents.write_document(
                self._conn,
                self._source.integration_id,
                self._name,
                row,
                [(chunk, literal(next(vectors))) for chunk in chunks],
                model=self._embedder.name,
                rule_version=RULE_VERSION,
            )
        self._conn.commit()
        self._report.fetched += len(made)
        self._report.chunks += len(texts)
        self._report.skipped += sum(row.skipped is not None for row, _ in made)

    def _read(self, entry: TreeEntry, head: BranchHead) -> ChunkedDocument | None:
        """None if the provider lists the file and does not hand it out. Raises UnreadableDocumentError."""
        if entry.size > MOST_BYTES:
            raise UnreadableDocumentError(f"it has {entry.size:,} bytes, more than {MOST_BYTES:,}")
        content = self._repository.content(entry, head.change.commit_sha)
        return None if content is None else chunk_document(entry.path, content)

    def _finish(self, queued: QueuedLook, selection: Selection) -> None:
        """Deletes what is gone, records what was found, and takes the look off the queue.

        Raises ValueError if a listed file was missing: its last version stays, and so does the row.
        """
        conn, integration = self._conn, self._source.integration_id
        documents.hold_integration(conn, integration)
        if selection.chosen is not None:
            self._report.gone = documents.delete_others(conn, integration, selection.chosen)
            commit = None if self._missing else self._report.commit_sha
            documents.note_documents(conn, integration, commit, selection.asked)
            documents.rename_repository(conn, integration, self._name)
        documents.note_config(conn, integration, selection.status, selection.message, self._clock())
        self._report.status, self._report.message = selection.status, selection.message
        self._report.documents = len(selection.chosen or ())
        if self._report.fetched or self._report.gone:
            self._record()
        if not self._missing:
            take_off(conn, queued, self._report.commit_sha)
        conn.commit()
        if self._missing:
            # A permission that ended meanwhile, or a server of the provider that is behind.
            raise ValueError(
                f"{len(self._missing):,} files are listed, and missing when they are asked for: "
                f"{', '.join(self._missing[:3])}"
            )

    def _record(self) -> None:
        report, source = self._report, self._source
        activity.record(
            self._conn,
            "documents.read",
            self._actor,
            f"documents of {self._name} at {report.commit_sha}: {report.fetched:,} fetched, "
            f"{report.gone:,} gone",
            org_id=source.org_id,
            workspace_id=source.workspace_id,
            provider=source.provider,
            subject=f"{source.provider} {source.resource_id}",
            detail={"fetched": report.fetched, "gone": report.gone, "skipped": report.skipped},
        )
