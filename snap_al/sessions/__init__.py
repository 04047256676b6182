"""Opening, feeding and closing LAMMPS; its errors turned into ours. With `parallel`, all that knows
of LAMMPS' library.
"""

from snap_al.sessions.box import Box, box_of, compact_box_of, with_small_tilts, wrapped
from snap_al.sessions.names import NameOf, plain_scratch_folder
from snap_al.sessions.neighbours import MD_ROOM, MD_SKIN, make_room, most_neighbours
from snap_al.sessions.scripts import check_script
from snap_al.sessions.session import LammpsSession
from snap_al.sessions.settings import LammpsSettings

__all__ = [
    "MD_ROOM",
    "MD_SKIN",
    "Box",
    "LammpsSession",
    "LammpsSettings",
    "NameOf",
    "box_of",
    "check_script",
    "compact_box_of",
    "make_room",
    "most_neighbours",
    "plain_scratch_folder",
    "with_small_tilts",
    "wrapped",
]
