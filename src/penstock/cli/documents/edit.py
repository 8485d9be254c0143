"""`penstock edit`."""

from __future__ import annotations

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.documents.changes import print_changes
from penstock.cli.documents.editing import Editing
from penstock.cli.documents.editor import Editor
from penstock.core.spec import DEFAULT_NAMESPACE


@click.command()
@options.collection
@click.argument("name")
@options.namespace
@options.kinds
@options.as_json
@options.store
@options.debug
@options.color
@pass_app
def edit(app: App, collection: str, name: str, *, namespace: str, as_json: bool) -> None:
    """Change a spec or a value in your editor ($VISUAL, $EDITOR): saving it applies it.

    The editor opens again, with what is wrong at the top, until the document can be applied, or
    is left as it was. What somebody else wrote meanwhile is shown there, too. A value is
    revealed in the editor, in a file that nobody else can read and that is removed.
    """
    session = Editing(app, collection, name, namespace or DEFAULT_NAMESPACE)
    with Editor(f"{collection.removesuffix('s')}.yaml") as editor:
        change = session.run(editor.edit)
    if change is None:
        app.console.say("nothing was changed")
    else:
        print_changes(app.console, [change], as_json=as_json)
