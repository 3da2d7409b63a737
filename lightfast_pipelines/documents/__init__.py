"""Documents of linked repositories: compared with the default branch, divided, embedded and found."""
