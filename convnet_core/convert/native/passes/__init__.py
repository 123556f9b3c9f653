"""What is done to a graph before it is converted. A pass is a function from a graph to a graph."""

from convnet_core.convert.native.passes.borders import borders_last
from convnet_core.convert.native.passes.channel_shuffle import fuse_channel_shuffle
from convnet_core.convert.native.passes.channels_last import DOMAIN, channels_last
from convnet_core.convert.native.passes.constants import lift_constants
from convnet_core.convert.native.passes.flatten import reorder_flattened
from convnet_core.convert.native.passes.gelu import fuse_gelu
from convnet_core.convert.native.passes.group_norm import fuse_group_norm
from convnet_core.convert.native.passes.transposes import sink_transposes
from convnet_core.convert.native.passes.unused import drop_unused

__all__ = [
    "DOMAIN",
    "borders_last",
    "channels_last",
    "drop_unused",
    "fuse_channel_shuffle",
    "fuse_gelu",
    "fuse_group_norm",
    "lift_constants",
    "reorder_flattened",
    "sink_transposes",
]
