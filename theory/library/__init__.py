"""One file per theorem (or family); a leading underscore marks what is not a theorem."""
