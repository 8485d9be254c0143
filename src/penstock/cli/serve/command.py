"""The command `penstock serve`, from its options to what is to be served."""

from __future__ import annotations

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.exits import Exit


@click.command()
@options.namespace
@click.option(
    "--flows",
    "references",
    metavar="REF",
    multiple=True,
    help="Serve the flows of a document, a folder, a module, `module:object` or a crew, besides "
    "those of the namespace; may be repeated.",
)
@click.option(
    "--bind",
    metavar="HOST:PORT",
    default="127.0.0.1:8370",
    show_default=True,
    help="Where to listen; port 0 is any free one.",
)
@click.option("--tls-cert", metavar="FILE", default="", help="Speak TLS with this PEM certificate.")
@click.option("--tls-key", metavar="FILE", default="", help="Its key, unless the certificate holds it.")
@click.option("--insecure", is_flag=True, help="Listen to other machines without TLS.")
@options.executor
@options.variables
@click.option(
    "--drain",
    "drain_seconds",
    metavar="DURATION",
    default="10s",
    show_default=True,
    callback=options.as_seconds,
    help="How long what is under way may go on after the first signal.",
)
@options.log
@options.log_level
@options.observe
@options.trace
@options.values
@options.kinds
@options.store
@options.color
@pass_app
def serve(
    app: App,
    *,
    namespace: str,
    references: tuple[str, ...],
    bind: str,
    tls_cert: str,
    tls_key: str,
    insecure: bool,
    executor: str | None,
    variables: dict[str, str],
    drain_seconds: float,
) -> Exit:
    """Host the flows of a namespace: clients launch them over HTTP, follow their runs, and
    answer what they ask.

    The namespace is served as `penstock start` does, triggers included. The first start makes an
    administrator and shows the token once; `penstock users`, `grants` and `tokens` go on from there.
    The API is described at /openapi.json and /docs.

    Only this machine can reach the host, unless --bind names another address. That needs TLS, or
    --insecure where something in front of it speaks TLS.

    Ctrl-C or SIGTERM lets what is under way come to its end; a second one leaves at once. Recorded
    runs that are not over go on at the next start.
    """
    from penstock.cli.serve.serving import serve_host
    from penstock.cli.start.serving import Order
    from penstock.core.spec import DEFAULT_NAMESPACE
    from penstock.host.door import Address
    from penstock.telemetry.endpoint import parse_address

    host, port = parse_address(bind)
    address = Address(host=host, port=port, cert=tls_cert, key=tls_key, insecure=insecure)
    address.check()
    order = Order(
        namespace=namespace or DEFAULT_NAMESPACE, variables=variables, drain_seconds=drain_seconds
    )
    return serve_host(app, order, address, references, executor=executor or "")
