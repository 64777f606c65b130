"""What is known of libraries by name: which functions only give a value, and which methods only read or score."""

import re

import numpy as np


def words(text: str) -> set[str]:
    """Give the words of a text."""
    return set(text.split())


def may_write(name: str) -> bool:
    """Say whether a library's function may take a place for its result by position."""
    return name.startswith(("numpy.", "scipy."))


_TABLE = """
builtins abs all any ascii bin bool bytearray bytes chr complex dict divmod enumerate filter float format frozenset
builtins hasattr hash hex int isinstance issubclass iter len list map max min next object oct ord pow print range
builtins repr reversed round set slice sorted str sum tuple type zip
base64 b64encode b64decode standard_b64encode standard_b64decode urlsafe_b64encode urlsafe_b64decode
binascii hexlify unhexlify crc32 a2b_base64 b2a_base64
bisect bisect bisect_left bisect_right
cmath * exp log sqrt phase polar rect
collections Counter OrderedDict defaultdict deque
copy copy deepcopy
datetime date time datetime timedelta timezone datetime.strptime datetime.fromisoformat datetime.fromtimestamp
datetime datetime.combine date.fromisoformat date.fromtimestamp
decimal Decimal
fractions Fraction
functools reduce
hashlib md5 sha1 sha224 sha256 sha384 sha512
html escape unescape
itertools accumulate chain chain.from_iterable combinations compress groupby islice pairwise permutations product
itertools repeat starmap zip_longest
json loads dumps
logging debug info warning warn error exception critical log
math *
operator itemgetter add sub mul truediv eq ne lt le gt ge
orjson loads dumps
re compile match search fullmatch sub subn split findall finditer escape
statistics mean fmean median mode stdev pstdev variance pvariance quantiles
string capwords
struct pack unpack calcsize
textwrap dedent
time sleep
traceback format_exc format_exception print_exc
unicodedata normalize
zlib compress decompress crc32
numpy abs absolute add all allclose amax amin angle any append apply_along_axis arange arccos arcsin arctan arctan2
numpy argmax argmin argpartition argsort argwhere array array_equal array_split asarray ascontiguousarray atleast_1d
numpy atleast_2d atleast_3d average bincount bool_ broadcast_to ceil clip column_stack concatenate convolve corrcoef cos
numpy cosh count_nonzero cov cross cumprod cumsum deg2rad degrees delete diag diff digitize divide dot dstack dtype
numpy einsum empty empty_like equal errstate exp expand_dims expm1 eye fabs fft.fft fft.fftfreq fft.ifft fft.irfft
numpy fft.rfft fft.rfftfreq finfo flatnonzero flip float16 float32 float64 floor fmax fmin full full_like gradient
numpy greater greater_equal histogram hstack hypot identity iinfo inner insert int16 int32 int64 int8 interp intersect1d
numpy isclose isfinite isin isinf isnan isreal isscalar ix_ lexsort less less_equal linalg.det linalg.eig linalg.eigh
numpy linalg.inv linalg.lstsq linalg.norm linalg.pinv linalg.solve linalg.svd linspace log log10 log1p log2 logical_and
numpy logical_not logical_or logical_xor logspace matmul max maximum mean median meshgrid min minimum mod moveaxis
numpy multiply nan_to_num nanargmax nanargmin nanmax nanmean nanmedian nanmin nanpercentile nanstd nansum nanvar
numpy ndarray negative nonzero not_equal ones ones_like outer pad partition percentile polyfit polyval power prod ptp
numpy quantile rad2deg radians ravel real reciprocal repeat reshape roll rot90 round searchsorted setdiff1d shape sign
numpy sin sinh size sort split sqrt square squeeze stack std str_ subtract sum swapaxes take take_along_axis tan tanh
numpy tensordot tile trace transpose trapezoid tril triu true_divide trunc uint16 uint32 uint64 uint8 union1d unique
numpy unravel_index var vdot vsplit vstack where zeros zeros_like datetime64 timedelta64
pandas Categorical DataFrame Index MultiIndex Series Timedelta Timestamp concat crosstab cut date_range get_dummies isna
pandas isnull json_normalize melt merge notna notnull pivot pivot_table qcut to_datetime to_numeric to_timedelta unique
pandas DataFrame.from_dict DataFrame.from_records MultiIndex.from_arrays MultiIndex.from_tuples
scipy.special * comb factorial log_softmax logsumexp perm polygamma sinc softmax softplus zeta
scipy.sparse coo_matrix csc_matrix csr_matrix hstack vstack
scipy.stats entropy iqr kurtosis linregress pearsonr skew spearmanr zscore
sklearn.preprocessing normalize
torch Tensor FloatTensor argmax as_tensor cat from_numpy inference_mode max mean no_grad sigmoid softmax stack tensor
torch.nn.functional sigmoid softmax
scoring.predictions Prediction
"""
FUNCTIONS: dict[str, set[str]] = {}
"""Module → its functions and classes that neither act on the world nor keep or change anything; ``*`` for all in C.

What makes times from texts is among them: only of the text ``now`` it makes the clock's, and a message that says so
gets the clock merged or not."""
for _line in _TABLE.strip().splitlines():
    _module, _, _names = _line.partition(" ")
    FUNCTIONS[_module] = FUNCTIONS.get(_module, set()) | words(_names)

PLACES = words("out output buf buffer file fp stream dst path path_or_buf random_state rng generator seed")
"""Parameters that a function may write into, or that remember how often they were used."""

IN_PLACE = {"inplace": False, "copy": True, "deep": True} | dict.fromkeys(
    words("overwrite_input overwrite_x overwrite_a overwrite_b"), False
)
"""Parameters that say whether the argument is changed, or what is given shares its memory → the value that says no."""

LABELS = words("columns index dtype name names axis by subset keys key sort_keys")
"""Parameters of which nothing is in what a function gives."""

CLOCK = re.compile(r"\s*(now|today)\s*", re.IGNORECASE)
"""Texts by which libraries read the clock."""

CHANGING = words(
    "append extend insert pop popitem remove clear update setdefault add discard sort reverse fill put resize "
    "partition setflags setfield itemset byteswap appendleft popleft rotate subtract move_to_end "
    "difference_update intersection_update symmetric_difference_update"
)
"""Methods that change what they are called on."""

_WRITING = {"tofile", "dump", "dumps", "ctypes"}
_TYPES = (str, bytes, int, float, complex, dict, list, tuple, set, frozenset, re.Pattern, re.Match, np.ndarray)

READING = {name for kind in _TYPES for name in dir(kind) if not name.startswith("_")} - CHANGING - _WRITING
READING |= words(
    "iloc loc iat dtypes columns values index empty drop dropna fillna rename reindex reset_index set_index "
    "sort_values sort_index head tail isna isnull notna notnull isin map apply applymap assign to_numpy to_dict "
    "to_list items groupby agg aggregate merge join melt pivot stack unstack select_dtypes infer_objects "
    "convert_dtypes abs sub mul div add_prefix add_suffix rolling shift diff pct_change quantile median mode "
    "nunique unique value_counts where mask between str dt cat get_dummies strip lower upper iterrows itertuples "
    "duplicated drop_duplicates idxmax idxmin rank clip interpolate ffill bfill corr describe transform "
    "total_seconds isoformat timestamp strftime date time year month day hour minute second weekday dayofweek "
    "dayofyear name names most_common elements detach cpu numpy item unsqueeze squeeze float double long softmax "
    "sigmoid view permute contiguous hexdigest digest getvalue tz_localize tz_convert normalize toarray todense "
    "tocsr tocsc real imag args nnz __name__"
)
"""Attributes and methods that change nothing, of plain values, arrays, frames and tensors."""

COPYING = {"copy", "tolist", "to_list", "to_dict"}
"""Methods that, without arguments, give an object of its own, though it may hold what the other one holds."""

SCORING = words(
    "predict predict_proba predict_log_proba predict_on_batch decision_function transform inverse_transform "
    "score_samples apply kneighbors run forward get_inputs get_outputs get_providers embed encode decode classify "
    "inplace_predict feature_names_in_ infer run_with_iobinding"
)
"""Methods of models that score."""

PARTS = {"get_booster", "get_feature_names_out"}
"""Methods of models that give a part of the model itself."""

LOGGING = {"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "isEnabledFor"}
"""Methods of loggers."""

MODELS = words(
    "catboost category_encoders imblearn keras lightgbm onnxruntime scipy scoring sklearn statsmodels tensorflow "
    "tf_keras torch torchvision xgboost inference_schema"
)
"""Libraries whose objects score."""
