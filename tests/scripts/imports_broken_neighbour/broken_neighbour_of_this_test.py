LIMIT = int("twelve")
