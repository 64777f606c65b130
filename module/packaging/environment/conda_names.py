"""Conda's names of packages, and what becomes of those that pip does not have under that name."""

AZUREML = "the module has stand-ins for what a scoring script imports of azureml"

TO_PIP = {
    "dask-core": "dask",
    "faiss": "faiss-cpu",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "pytables": "tables",
    "python-graphviz": "graphviz",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "ruamel_yaml": "ruamel.yaml",
    "tensorflow-base": "tensorflow",
}
"""Conda's name → pip's, where they differ."""

LEFT_OUT = {
    "applicationinsights": AZUREML,
    **dict.fromkeys(
        ("blas", "intel-openmp", "libblas", "liblapack", "libopenblas", "mkl", "nomkl", "openblas"),
        "pip's wheels bring their own",
    ),
    **dict.fromkeys(("ca-certificates", "openssl"), "the base image has it"),
    **dict.fromkeys(("scoring", "iotedge-scoring-module"), "the module is in the image"),
    **dict.fromkeys(("pip", "setuptools", "wheel"), "nothing is installed inside the image"),
}
"""Packages that the image does not need, and why."""

CONDA_ONLY = {
    **dict.fromkeys(
        ("cudatoolkit", "cuda-toolkit", "cudnn", "pytorch-cuda", "pytorch-mutex", "nccl"),
        "leave the line out and build with --variant gpu",
    ),
    **dict.fromkeys(
        ("ffmpeg", "gcc", "gxx", "gdal", "libgcc", "libgcc-ng", "libstdcxx-ng", "nodejs", "openjdk", "r-base"),
        "leave the line out, and if the script needs it install it in a base image of your own (--base)",
    ),
}
"""Packages without any pip form, and the remedy."""
