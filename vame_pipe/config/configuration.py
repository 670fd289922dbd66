"""The configuration of a workflow run: the sections together, and the models that they describe."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import (
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from vame_pipe.config import variants
from vame_pipe.config.external import External, is_external
from vame_pipe.config.motif_names import MotifName, names_of
from vame_pipe.config.sections import (
    Align,
    Keypoint,
    Mlflow,
    Model,
    Motifs,
    Name,
    Qc,
    Section,
    Session,
    Train,
    Windows,
)
from vame_pipe.core import files

Overrides = dict[str, Any]
"""Settings of one model that differ from `model` and `train`."""


def _or_sheet(schema: dict[str, Any]) -> None:
    """Allow a path in the JSON schema of `sessions`; `loading.read` replaces it with the sheet's rows."""
    mapping = {key: schema.pop(key) for key in list(schema) if key not in {"title", "description"}}
    schema["anyOf"] = [mapping | {"additionalProperties": False}, {"type": "string"}]


def _or_table(schema: dict[str, Any]) -> None:
    """Allow a path in the JSON schema of `motif_names`; `loading.read` replaces it with rows."""
    rows = {key: schema.pop(key) for key in ("type", "items")}
    schema["anyOf"] = [rows, {"type": "string"}]


def _kind_of_keypoints(value: Any) -> str:
    return "[mapping]" if isinstance(value, dict) else "[list]"


class Config(Section):
    """The content of config.yaml."""

    results: Annotated[str, StringConstraints(min_length=1)] = "results"
    """Output folder, relative to the working directory."""
    sessions: Annotated[dict[Name, Session], Field(json_schema_extra=_or_sheet)]
    """Recordings by name, or the path of a CSV or TSV sheet with the columns session, poses, fps, ..."""
    keypoints: (
        Annotated[
            Annotated[list[Keypoint], Tag("[list]")]
            | Annotated[dict[Keypoint, list[Keypoint]], Tag("[mapping]")],
            Discriminator(_kind_of_keypoints),
        ]
        | None
    ) = None
    """Keypoints to use; null: all of each file. As a mapping, NAME: [names in the files]."""
    skeleton: list[Annotated[list[Keypoint], Field(min_length=2, max_length=2)]] | None = None
    """Pairs of keypoints between which pictures of the animal have a line, e.g. [[nose, neck]]; null: each
    keypoint is joined to a near one (a minimum spanning tree)."""
    align: Align
    qc: Qc = Qc()
    windows: Windows = Windows()
    model: Model = Model()
    train: Train = Train()
    models: dict[Name, Overrides] = Field(
        default={"vame": {}}, min_length=1, json_schema_extra={"additionalProperties": False}
    )
    """Models to train, each a mapping of what differs from `model` and `train`. `grid: {zdims: [8, 16]}`
    trains one model per combination of values, `seeds: [1, 2, 3]` one per seed. `{file: lab.pt,
    segmentation: lab/}` uses a model that was trained elsewhere, see new-recordings.md."""
    motifs: Motifs = Motifs()
    motif_names: list[MotifName] = Field(default=[], json_schema_extra=_or_table)
    """Names of motifs: the path of a CSV or TSV table with the columns motif, name, merge_into."""
    mlflow: Mlflow = Mlflow()

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, content: Any) -> Any:
        """Treat an empty section as absent."""
        if not isinstance(content, dict):
            return content
        return {key: value for key, value in content.items() if value is not None}

    @field_validator("models")
    @classmethod
    def _convert_grids(cls, models: dict[str, Overrides]) -> dict[str, Overrides]:
        """Give the values of grids their types: YAML reads 1e-3 as text, and 0.001 is the same model."""
        return {name: variants.with_types(entry, _convert) for name, entry in models.items()}

    @property
    def analysed(self) -> dict[str, Session]:
        """The sessions that are not excluded, by name."""
        return {name: session for name, session in self.sessions.items() if not session.exclude}

    @property
    def excluded(self) -> dict[str, str]:
        """Why sessions are left out, by name."""
        return {n: session.exclude for n, session in self.sessions.items() if session.exclude}

    @property
    def trains(self) -> bool:
        """Whether models are trained: false if all were trained elsewhere."""
        return not all(map(is_external, self.models.values()))

    @property
    def training_sessions(self) -> list[str]:
        """Names of the sessions that models are trained on; none if no model is trained."""
        used = [name for name, session in self.analysed.items() if session.use == "train"]
        return used if self.trains else []

    @property
    def new_sessions(self) -> list[str]:
        """Names of the sessions that no model is trained on."""
        training = set(self.training_sessions)
        return [name for name in self.analysed if name not in training]

    @property
    def groups(self) -> dict[str, str]:
        """The experimental groups of sessions that have one, by name."""
        return {name: session.group for name, session in self.analysed.items() if session.group}

    @property
    def labelled(self) -> dict[str, Session]:
        """The sessions that have labels, by name."""
        return {name: session for name, session in self.analysed.items() if session.labels}

    @property
    def filmed(self) -> dict[str, Session]:
        """The training sessions that name a video, by name."""
        return {n: self.sessions[n] for n in self.training_sessions if self.sessions[n].videos}

    @property
    def deciding(self) -> dict[str, Session]:
        """The sessions that decide which keypoints are tracked too badly to be used, by name."""
        names = self.training_sessions or self.analysed
        return {name: self.sessions[name] for name in names}

    @property
    def aliases(self) -> dict[str, list[str]] | None:
        """Keypoints to use, each with the names it has in the files (None: all)."""
        if self.keypoints is None or isinstance(self.keypoints, dict):
            return self.keypoints
        return {name: [name] for name in self.keypoints}

    def scales(self, sessions: Iterable[str]) -> dict[str, float]:
        """Return the pixels per centimetre of sessions, without those whose scale is not known."""
        found = {name: self.sessions[name].px_per_cm for name in sessions}
        return {name: scale for name, scale in found.items() if scale is not None}

    def names_of(self, model: str) -> list[MotifName]:
        """Return the names of the motifs of a model."""
        return names_of(self.motif_names, model)

    @property
    def variants(self) -> dict[str, Overrides]:
        """Overrides of `model` and `train` per model, with grids and seeds expanded."""
        return {
            name: overrides
            for entry, content in self.models.items()
            if not is_external(content)
            for name, overrides in variants.expand(entry, content).items()
        }

    @property
    def external(self) -> dict[str, External]:
        """The models that were trained elsewhere, by name."""
        return {
            name: External.model_validate(content)
            for name, content in self.models.items()
            if is_external(content)
        }

    @property
    def all_models(self) -> list[str]:
        """Names of the models that are trained, and of those that were trained elsewhere."""
        return [*self.variants, *self.external]

    @property
    def entries(self) -> dict[str, str]:
        """The entry of `models` that each of `variants` was expanded from."""
        return {
            name: entry
            for entry, content in self.models.items()
            if not is_external(content)
            for name in variants.expand(entry, content)
        }

    def variant(self, name: str) -> tuple[Model, Train]:
        """Return the settings of one of `variants`: `model` and `train` with its overrides.

        A model that was trained elsewhere has none.
        """
        overrides = self.variants.get(name, {})
        model = {k: v for k, v in overrides.items() if k in Model.model_fields}
        train = {k: v for k, v in overrides.items() if k not in model}
        chosen = Model.model_validate(self.model.model_dump() | model)
        recipe = Train.model_validate(self.train.model_dump(exclude_unset=True) | train)
        return chosen, recipe.for_model(chosen)

    def without_seed(self, name: str) -> str:
        """Return the name of one of `variants` without the part that stands for its seed, if it has one.

        Examples
        --------
        >>> align = {"centre": "tailbase", "forward": "nose"}
        >>> models = {"vame": {"seeds": [1, 2]}, "old-s0": {}}
        >>> config = Config(sessions={"m1": {"poses": "a.csv", "fps": 30}}, align=align, models=models)
        >>> [config.without_seed(name) for name in config.variants]
        ['vame', 'vame', 'old-s0']
        """
        entry = self.models[self.entries[name]]
        if variants.SEEDS not in entry and "seed" not in entry.get(variants.GRID, {}):
            return name
        return name.removesuffix(f"-{variants.label('seed', self.variants[name]['seed'])}")

    @property
    def digest(self) -> str:
        """SHA-256 of `resolved`, in which the order of sessions counts."""
        return files.fingerprint(json.dumps(self.resolved()))  # a text, because keys are sorted

    def resolved(self) -> dict[str, Any]:
        """Return the configuration with every default written out; loading it gives the same models.

        A preset fills only keys that are not set, and here every key is set. So a variant that uses a
        preset is written out in full.
        """
        content = self.model_dump(mode="json")
        if self.train.preset:  # weights that depend on the size of each model are not written
            for key in {"beta", "spectral_weight"} - self.train.model_fields_set:
                del content["train"][key]
        content["models"] = {}
        for entry, overrides in self.models.items():
            if "preset" not in overrides | overrides.get(variants.GRID, {}):
                content["models"][entry] = overrides
                continue
            for name, own in variants.expand(entry, overrides).items():
                content["models"][name] = self.variant(name)[1].model_dump(mode="json") | own
        return content


def _convert(key: str, value: Any) -> Any:
    """Return a value as the type of its key of `model` or `train`; an invalid one as it is."""
    field = (Model.model_fields | Train.model_fields).get(key)
    if field is None:
        return value
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]
    try:
        return adapter.validate_python(value)
    except ValidationError:  # reported later, with the name of the model
        return value
