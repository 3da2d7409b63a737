"""Small servers that speak the providers' wire formats, over real HTTP on this machine."""
