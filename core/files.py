"""Reading TOML that anybody may have written, and writing files that are always whole."""

import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import tomli_w

from core.errors import BadInput, PlacetError, reason

SCHEMA = 1
"""The major version of every TOML format of Placet."""

LARGEST = 1_000_000
"""Bytes that a profile, a scenario or a configuration may have."""

T = TypeVar("T", bound=msgspec.Struct)

Warn = Callable[[str], None]


def path_of(name: str) -> Path:
    """The path that somebody named, `~` for a home; `BadInput` where no file can have it."""
    try:
        path = Path(name).expanduser()
        with suppress(FileNotFoundError, NotADirectoryError):
            path.stat()  # raises where the name is too long, or links lead round in a circle
        return path
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or reason(error)
        raise BadInput(f"it cannot be reached ({why})", where=name) from None
    except RuntimeError:
        raise BadInput(
            "there is no such user", where=name, mend="Write the whole path, or `./~…`."
        ) from None


def read_text(path: Path, *, largest: int | None = LARGEST, errors: str = "strict") -> str:
    """The UTF-8 text of a file; `BadInput` names the file and what is wrong with it.

    `largest` is in bytes, None for no bound; `errors` is what to do with a byte that is not UTF-8.
    """
    try:
        if path.is_dir():
            raise BadInput("this is a folder, not a file", where=str(path))
        with path.open("rb") as file:
            # A pipe or a device does not say how long it is.
            content = file.read(-1 if largest is None else largest + 1)
        if largest is not None and len(content) > largest:
            raise BadInput(
                f"the file is too long; at most {largest:,} bytes are read",
                where=str(path),
                mend="Shorten it, or split it.",
            )
        return content.decode("utf-8", errors)
    except FileNotFoundError:
        raise BadInput(
            "there is no such file", where=str(path), mend="Check the name and the folder."
        ) from None
    except UnicodeDecodeError as error:
        raise BadInput(
            f"byte {error.start + 1} is not UTF-8 text",
            where=str(path),
            mend="Save it as UTF-8; a binary file cannot be read here.",
        ) from None
    except (OSError, ValueError) as error:  # the latter where no file can have such a name
        why = getattr(error, "strerror", None) or reason(error)
        raise BadInput(f"it cannot be read ({why})", where=str(path)) from None


def toml_files(folder: Path) -> list[Path]:
    """The TOML files in a folder by their names; none where there is no folder.

    `BadInput` where it cannot be looked into: what stands there may be what counts.
    """
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(".toml"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInput(f"it cannot be read ({error.strerror})", where=str(folder)) from None


def written_at(path: Path) -> float:
    """When a file was last written, for sorting; 0 of a link that leads nowhere."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """The table that `text` holds; `BadInput` names line and column of a syntax error."""
    try:
        return tomllib.loads(text)
    except ValueError as error:  # a number of too many digits is none of TOML's own errors
        raise BadInput(f"this is not TOML: {error}", where=where) from None
    except RecursionError:
        raise BadInput("the brackets are nested too deeply", where=where) from None


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file, after its `schema` was checked."""
    text = read_text(path).removeprefix("\ufeff")  # which some editors write
    if not text.strip():
        raise BadInput("the file is empty", where=str(path))
    table = parse_toml(text, str(path))
    check_schema(table, str(path))
    return table


def check_schema(table: dict[str, Any], where: str) -> None:
    """Refuses a table of no version, or of one this Placet does not know."""
    schema = table.get("schema")
    if type(schema) is not int:
        raise BadInput(
            "the version is no whole number" if "schema" in table else "the version is missing",
            where=f"{where}: schema",
            mend=f"Begin the file with `schema = {SCHEMA}`.",
        )
    if schema != SCHEMA:
        raise BadInput(
            f"version {schema} is not known here; this Placet reads version {SCHEMA}",
            where=f"{where}: schema",
            mend="Use a newer Placet.",
        )


def convert(table: dict[str, Any], kind: type[T], where: str, warn: Warn | None = None) -> T:
    """`table` as a noun of ours; unknown keys are warned about. `BadInput` names the field."""
    try:
        made = msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        problem, field = field_of(error)
        place = f"{where}: {field}".rstrip(": ")
        raise BadInput(problem, where=place, mend=_mend(problem, kind, field)) from None
    for key in unknown_keys(table, made):
        if warn:
            warn(unknown(key, where))
    return made


def unknown(key: str, where: str) -> str:
    """That a key is unknown; the file comes last, where a narrow line is cut."""
    return f"the key {key!r} is not known here; it is kept but not used: {where}"


def field_of(error: msgspec.ValidationError) -> tuple[str, str]:
    """What a field's value lacks, and the field, dotted; empty for the whole."""
    problem, _, place = str(error).partition(" - at `")
    return problem[:1].lower() + problem[1:], place.rstrip("`").removeprefix("$").removeprefix(".")


def _mend(problem: str, kind: type[msgspec.Struct], field: str) -> str:
    """What to write in a field of `kind`, where that is not plain from the problem."""
    if problem == "expected `array`, got `object`":
        return f"Begin each of them with `[[{field}]]`, in two brackets."
    if problem.startswith("invalid enum value"):
        return f"It may be {', '.join(_allowed(kind, field))}."
    return ""


def _allowed(kind: type[msgspec.Struct], field: str) -> list[str]:
    """The values of the enumeration in a field, dotted as `field_of` gives it."""
    from msgspec import inspect  # for this alone

    found: list[Any] = [inspect.type_info(kind)]
    for step in re.findall(r"[^\W\d]\w*|\[", field):
        if step == "[":
            found = [one.item_type for one in found if hasattr(one, "item_type")]
        else:
            structs = [one for one in found if isinstance(one, inspect.StructType)]
            found = [
                one.type for struct in structs for one in struct.fields if one.encode_name == step
            ]
        found = [part for one in found for part in getattr(one, "types", (one,))]
    values = [value for one in found for value in getattr(one, "values", ())]
    values += [
        one.value for each in found if isinstance(each, inspect.EnumType) for one in each.cls
    ]
    return [str(value) for value in values if value]


def unknown_keys(table: dict[str, Any], made: msgspec.Struct) -> Iterable[str]:
    """The keys of `table`, dotted, that no field of `made` took."""
    known = {field.encode_name: field.name for field in msgspec.structs.fields(made)}
    for key, raw in table.items():
        if key not in known:
            if key != "schema":
                yield key
            continue
        value = getattr(made, known[key])
        if isinstance(value, msgspec.Struct):
            yield from (f"{key}.{inner}" for inner in unknown_keys(raw, value))
        elif isinstance(value, tuple):
            for index, (item, raw_item) in enumerate(zip(value, raw, strict=True)):
                if isinstance(item, msgspec.Struct) and isinstance(raw_item, dict):
                    yield from (f"{key}[{index}].{inner}" for inner in unknown_keys(raw_item, item))


def foreign(table: dict[str, Any], kind: msgspec.Struct | type[msgspec.Struct]) -> dict[str, Any]:
    """What `table` has under keys that are no fields of `kind`."""
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    return {key: value for key, value in table.items() if key not in known}


def as_table(noun: object) -> Any:
    """A noun of ours, or a container of some, as tables, lists, strings and numbers."""
    return msgspec.json.decode(msgspec.json.encode(noun))


def dump_toml(table: dict[str, Any]) -> str:
    """`table` as TOML, every string on one line."""
    return tomli_w.dumps(table, multiline_strings=False)


def write_whole(path: Path, text: str) -> None:
    """Puts `text` at `path` so that a reader sees the old file or the new one, never a part.

    Written beside it, flushed to the disk, then renamed. A link stays one, and a pipe or a device
    is written into. A file keeps its mode, and a new one is for its owner alone. Raises
    `PlacetError` with the cause.
    """
    with writing(path):
        _put(path, text.encode()).close()


@contextmanager
def growing(path: Path) -> Iterator[Callable[[str], None]]:
    """Gives what puts one text after another at `path`, each whole and at once: it stays there.

    The first takes the place of what was there, as `write_whole` would; without one nothing is
    touched. Raises as `write_whole` does.
    """
    file: FileIO | None = None

    def add(text: str) -> None:
        nonlocal file
        with writing(path):
            if file is None:
                file = _put(path, text.encode())
            else:
                _write(file, text.encode())

    try:
        yield add
    finally:
        if file is not None:
            file.close()


def _put(path: Path, content: bytes) -> FileIO:
    """The file that `write_whole` makes, open for more."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        stream = path.open("wb", buffering=0)
        _write(stream, content)
        return stream
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name[:50]}."  # 200 bytes at most, of the 255 that a name has
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".tmp")
    file = FileIO(handle, "w")
    try:
        _write(file, content)
        os.fsync(handle)
        if path.is_file():
            shutil.copymode(path, temporary)
        Path(temporary).replace(path)
    except BaseException:
        file.close()
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return file


def _write(file: FileIO, content: bytes) -> None:
    """All of it in one call where the system lets it, so that no kill can come in between."""
    while content:
        content = content[file.write(content) :]


@contextmanager
def writing(path: Path, *failures: type[Exception]) -> Iterator[None]:
    """Within, a refusal of the system becomes a `PlacetError` that names `path` and the mend.

    `failures` are those by which a library tells of one, beside `OSError`.
    """
    known: tuple[type[Exception], ...] = (OSError, *failures)
    try:
        yield
    except known as error:
        why = getattr(error, "strerror", None) or reason(error)
        raise PlacetError(
            f"it cannot be written ({why})",
            where=str(path),
            mend="Check the space on the disk and the rights on the folder, or name another file.",
        ) from None


def writable_folder(path: Path) -> None:
    """Makes a folder where there is none; `PlacetError` unless files can be written in it."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()


def _sync_folder(folder: Path) -> None:
    """Makes a rename last through a power cut, where the system allows it."""
    if os.name != "posix":
        return
    with suppress(OSError):  # some file systems cannot, and what was written is there all the same
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
