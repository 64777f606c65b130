import json

from azureml.api.realtime.services import generate_schema
from azureml.api.schema.dataTypes import DataTypes
from azureml.api.schema.sampleDefinition import SampleDefinition
from azureml.logging import get_azureml_logger

logger = get_azureml_logger()
logger.log("loaded", 1)


def init():
    global limit
    limit = 30


def run(input_df):
    hot = input_df["temperature"] > limit
    about = {"columns": list(input_df.columns), "days": input_df["when"].dt.day.tolist()}
    return json.dumps({"hot": hot.tolist(), "kinds": [str(kind)[:5] for kind in input_df.dtypes], **about})


def sample():
    import pandas

    return pandas.DataFrame([[33.5, 2.5, 26, pandas.Timestamp("2018-03-01")]])


inputs = {"input_df": SampleDefinition(DataTypes.PANDAS, sample())}
generate_schema(run_func=run, inputs=inputs, filepath="./outputs/service_schema.json")
