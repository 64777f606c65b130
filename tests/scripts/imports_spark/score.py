from pyspark.sql import SparkSession


def init():
    global spark
    spark = SparkSession.builder.getOrCreate()


def run(raw_data):
    return raw_data
