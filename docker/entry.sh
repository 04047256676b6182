#!/bin/sh
# Runs its arguments with the MPI that is in the image, or with the site's: SITE_MPI names the folder of a libmpi.so.12 (MPICH and
# what keeps its ABI: Cray MPI, Intel MPI, MVAPICH), as it is seen inside the container.
set -eu
if [ -n "${SITE_MPI:-}" ]; then
    if [ ! -e "$SITE_MPI/libmpi.so.12" ]; then
        echo "SITE_MPI=$SITE_MPI: there is no libmpi.so.12 in it; bind the site's folder into the container, and name it as seen inside" >&2
        exit 2
    fi
    export LD_LIBRARY_PATH="$SITE_MPI${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    export MPI4PY_LIBMPI="$SITE_MPI/libmpi.so.12"
fi
exec "$@"
