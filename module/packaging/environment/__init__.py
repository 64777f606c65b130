"""What a script needs: conda and pip files → requirements locked for the image's machine."""
