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

_IN_WHEELS = "pip's wheels bring their own"
_IN_BASE = "the base image has it"
LEFT_OUT = {
    "applicationinsights": AZUREML,
    "blas": _IN_WHEELS,
    "ca-certificates": _IN_BASE,
    "intel-openmp": _IN_WHEELS,
    "libblas": _IN_WHEELS,
    "liblapack": _IN_WHEELS,
    "libopenblas": _IN_WHEELS,
    "mkl": _IN_WHEELS,
    "nomkl": _IN_WHEELS,
    "openblas": _IN_WHEELS,
    "openssl": _IN_BASE,
    "pip": "nothing is installed inside the image",
    "scoring": "the module is in the image",
    "iotedge-scoring-module": "the module is in the image",
    "setuptools": "nothing is installed inside the image",
    "wheel": "nothing is installed inside the image",
}
"""Packages that the image does not need, and why."""

_CUDA = "leave the line out and build with --variant gpu"
_SYSTEM = "leave the line out, and if the script needs it install it in a base image of your own (--base)"
CONDA_ONLY = {
    "cudatoolkit": _CUDA,
    "cuda-toolkit": _CUDA,
    "cudnn": _CUDA,
    "pytorch-cuda": _CUDA,
    "pytorch-mutex": _CUDA,
    "nccl": _CUDA,
    "ffmpeg": _SYSTEM,
    "gcc": _SYSTEM,
    "gxx": _SYSTEM,
    "gdal": _SYSTEM,
    "libgcc": _SYSTEM,
    "libgcc-ng": _SYSTEM,
    "libstdcxx-ng": _SYSTEM,
    "nodejs": _SYSTEM,
    "openjdk": _SYSTEM,
    "r-base": _SYSTEM,
}
"""Packages without any pip form, and the remedy."""
