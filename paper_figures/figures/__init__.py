"""The figures, one file each; a file whose name starts with an underscore is not a figure."""
