from azureml.core.run import Run


def init():
    global run_of_experiment
    run_of_experiment = Run.get_context()


def run(raw_data):
    run_of_experiment.log("length", len(raw_data))
    return len(raw_data)
