def init():
    global model
    model = None


def run(input_df):
    return model.predict(input_df).tolist()


def main():
    from azureml.api.realtime.services import generate_schema
    from azureml.api.schema.dataTypes import DataTypes
    from azureml.api.schema.sampleDefinition import SampleDefinition
    import pandas

    inputs = {"input_df": SampleDefinition(DataTypes.PANDAS, pandas.DataFrame([[1.0]], columns=["x"]))}
    generate_schema(run_func=run, inputs=inputs, filepath="./outputs/service_schema.json")


if __name__ == "__main__":
    main()
