"""Where the files that DAGs use lie: the same DAG files run on a laptop, on Astro and on MWAA."""

from pathlib import Path


def include_folder(dag_file: str | Path) -> Path:
    """Return the folder ``include`` that belongs to a DAG file; pass the DAG's ``__file__``.

    MWAA syncs nothing but the folder of the DAGs, so there ``include`` is packed into it (``dags/include``). Everywhere
    else it stands beside it (``<project>/include``). The packed one wins. Touches only the file system.

    :raises FileNotFoundError: when neither exists, naming both.
    """
    dags = Path(dag_file).resolve().parent
    candidates = (dags / "include", dags.parent / "include")
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"{dag_file} finds its SQL neither in {candidates[0]} (as packed for MWAA) nor in {candidates[1]}: "
        "deploy the folder include with the DAGs."
    )


def sql_files(sql_folder: Path, kind: str) -> list[str]:
    """Return the SQL files of one folder in the order of their names, relative to ``sql_folder``.

    That is how an operator names them when ``sql_folder`` is in the DAG's ``template_searchpath``.

    :raises FileNotFoundError: when there is none, because an empty list would succeed and do nothing.
    """
    files = sorted(path.relative_to(sql_folder).as_posix() for path in (sql_folder / kind).glob("*.sql"))
    if not files:
        raise FileNotFoundError(f"There is no SQL file in {sql_folder / kind}: deploy include/sql/{kind}.")
    return files
