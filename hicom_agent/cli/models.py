"""The commands below `hicom-agent models`."""

from __future__ import annotations

from typing import Annotated

import typer

from hicom_agent.cli.shared import JsonOption, show_json, workspace

models_app = typer.Typer(help="See, fetch and check the models.", no_args_is_help=True, rich_markup_mode=None)


@models_app.command("list", epilog="Example: hicom-agent models list --json")
def models_list(as_json: JsonOption = False) -> None:
    """List the models: licence, source, size, and whether they are here."""
    from hicom_agent.screen import model_line

    with workspace() as work:
        rows = work.model_rows()
    show_json(rows) if as_json else typer.echo("\n".join(map(model_line, rows)))


@models_app.command("pull", epilog="Example: hicom-agent models pull")
def models_pull(names: Annotated[list[str] | None, typer.Argument(help="Default: all of the profile.")] = None) -> None:
    """Fetch models into the cache and check them; hicom-7b (17 GB) and siglip only by name."""
    with workspace() as work:
        for row in work.model_rows():
            if row["name"] in (names or []) and row["notice"]:
                typer.echo(f"{row['name']}: {row['notice']}", err=True)
        for name, folder in work.pull_models(names or []):
            typer.echo(f"{name}  {folder}")


@models_app.command("verify", epilog="Example: hicom-agent models verify lite0")
def models_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Default: all that are here.")] = None,
) -> None:
    """Compare every file of the models with its checksum."""
    with workspace() as work:
        rows = work.verify_models(names or [])
    for row in rows:
        typer.echo(f"{row['name']}  {'verified' if row['state'] == 'present' else row['state']}")
    if any(row["state"] != "present" for row in rows):
        raise typer.Exit(3)
