"""What people call the settings: the names of their flags, in words."""

from convnet_core.language import N_, _

_NAMES = {
    "data": N_("data"),
    "data-dir": N_("data dir"),
    "data-seed": N_("data seed"),
    "train-size": N_("train size"),
    "test-size": N_("test size"),
    "architecture": N_("architecture"),
    "channels": N_("channels"),
    "kernel": N_("kernel"),
    "augment-rotation": N_("augment rotation"),
    "augment-scaling": N_("augment scaling"),
    "augment-shear": N_("augment shear"),
    "augment-shift": N_("augment shift"),
    "rotation": N_("rotation"),
    "scaling": N_("scaling"),
    "shear": N_("shear"),
    "shift": N_("shift"),
    "epochs": N_("epochs"),
    "batch-size": N_("batch size"),
    "learning-rate": N_("learning rate"),
    "optimizer": N_("optimizer"),
    "schedule": N_("schedule"),
    "weight-decay": N_("weight decay"),
    "label-smoothing": N_("label smoothing"),
    "precision": N_("precision"),
    "validation-size": N_("validation size"),
    "seed": N_("seed"),
    "device": N_("device"),
    "cuda-graph": N_("cuda graph"),
    "opset": N_("opset"),
    "fuse-batchnorm": N_("fuse batchnorm"),
    "converter": N_("converter"),
    "calibration-size": N_("calibration size"),
    "calibration-seed": N_("calibration seed"),
    "layout": N_("layout"),
    "int8-inputs": N_("int8 inputs"),
    "int8-outputs": N_("int8 outputs"),
    "only": N_("only"),
    "rtol": N_("rtol"),
    "atol": N_("atol"),
    "fp16-agreement": N_("fp16 agreement"),
    "int8-agreement": N_("int8 agreement"),
    "fp16-accuracy-drop": N_("fp16 accuracy drop"),
    "int8-accuracy-drop": N_("int8 accuracy drop"),
    "batch-sizes": N_("batch sizes"),
    "full": N_("full"),
    "samples": N_("samples"),
    "noise-seed": N_("noise seed"),
    "seconds": N_("seconds"),
    "warmup": N_("warmup"),
    "threads": N_("threads"),
    "limit": N_("limit"),
    "lesson": N_("lesson"),
    "images": N_("images"),
    "worst": N_("worst"),
    "steps": N_("steps"),
    "dissect-seed": N_("dissect seed"),
}
_FIELDS = (N_("source"), N_("folder"), N_("rotation"), N_("scaling"), N_("shear"), N_("shift"))
"""The fields whose names are not those of their flags: errors name fields."""
_UNITS = (N_("images"), N_("pixels"), N_("degrees"), N_("seconds"), N_("calls"), N_("threads"))


def setting_name(flag: str) -> str:
    """The name of the setting with this flag (without dashes): learning rate."""
    return _(_NAMES.get(flag, flag.replace("-", " ")))


def unit_name(unit: str) -> str:
    """The name of the unit of a setting; empty if it has none."""
    assert not unit or unit in _UNITS
    return unit and _(unit)
