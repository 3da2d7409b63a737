"""Who is who: which identities of an organisation are one person. Pure; `people/` reads and writes rows."""
