from azureml_user.parallel_run import EntryScript


def init():
    EntryScript().logger.info("loaded")


def run(rows):
    return rows
