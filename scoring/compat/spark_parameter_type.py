"""Stands for inference_schema's Spark parameter type: refuses it."""

raise ImportError("SparkParameterType needs Spark, which does not run on an edge device: use PandasParameterType")
