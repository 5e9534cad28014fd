#!/bin/sh
# Run a pipeline stage: sh src/stage.sh STAGE [TASK]. Under DVC the task is that of DVC_STAGE, as in train@ner.
#
# The code is that of this working tree, also in the copies of it that DVC makes for experiments. Python is the one on PATH
# or, if that one lacks the project's packages (dvc started as .venv/bin/dvc, for example), the one in .venv.
stage=$1
shift
if [ $# -eq 0 ]; then
    # The shell would run what a task's name contains if dvc.yaml had it in the command.
    case ${DVC_STAGE:-} in *@*) set -- "${DVC_STAGE#*@}" ;; esac
fi
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}"
for python in python "${DVC_ROOT:-.}/.venv/bin/python"; do
    if "$python" -c 'from importlib.util import find_spec as f; raise SystemExit(not (f("keras") and f("pydantic")))' 2>/dev/null; then
        exec "$python" -m "seqlab.stages.$stage" "$@"
    fi
done
echo "error: no Python with seqlab's packages was found" >&2
echo "  expected: packages of requirements.lock in the Python on PATH, or in ${DVC_ROOT:-.}/.venv" >&2
echo "  remedy: run make, or activate the environment: source .venv/bin/activate" >&2
exit 1
