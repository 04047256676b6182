"""Opening, feeding and closing LAMMPS; its errors turned into ours. With `parallel`, all that knows of LAMMPS' library."""

from snap_al.sessions.box import Box, box_of
from snap_al.sessions.names import NameOf, plain_scratch_folder
from snap_al.sessions.scripts import check_script
from snap_al.sessions.session import LammpsSession
from snap_al.sessions.settings import LammpsSettings

__all__ = ["Box", "LammpsSession", "LammpsSettings", "NameOf", "box_of", "check_script", "plain_scratch_folder"]
