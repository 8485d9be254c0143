"""An OpenID Connect provider: where people are sent, and what is learnt when they come back."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from penstock.core.errors import ProviderError

if TYPE_CHECKING:
    from penstock.auth.oidc.settings import ProviderSettings
    from penstock.core.clock import Clock

LOG: Final = logging.getLogger("penstock.auth")

TIMEOUT_SECONDS: Final = 10.0
FRESH_SECONDS: Final = 3600.0
"""What the provider says of itself is asked again after this time."""

LEEWAY_SECONDS: Final = 60
"""How far the provider's clock may be off."""

_CODE: Final = re.compile(r"[a-z_]{1,50}")

ALGORITHMS: Final = frozenset(
    f"{family}{size}" for family in ("RS", "PS", "ES") for size in (256, 384, 512)
) | {"EdDSA"}
"""What an id token may be signed with: nothing that the client, or nobody, could have signed."""


class Departure(msgspec.Struct, frozen=True):
    """Somebody who was sent to a provider.

    url: where to. state, nonce, verifier: what ties the way there to the way back (RFC 6749
    §10.12, OpenID Connect §3.1.2.1, RFC 7636); nobody but their browser may know the last one.
    """

    url: str
    state: str
    nonce: str
    verifier: str

    def __repr__(self) -> str:
        """Without what must stay between the host and the browser."""
        return "Departure(…)"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who came back, as the provider says. groups: None where it says nothing of them."""

    issuer: str
    subject: str
    name: str
    email: str = ""
    groups: tuple[str, ...] | None = None

    @property
    def key(self) -> str:
        """What tells them from everybody else, wherever they come from."""
        return f"{self.issuer} {self.subject}"


class IdentityProvider:
    """One provider. Every method raises ProviderError."""

    def __init__(self, settings: ProviderSettings, *, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._application: Any = None
        self._asked = 0.0

    async def depart(self, redirect_uri: str) -> Departure:
        """Send somebody to the provider, who will come back to this URI."""
        application = await self._open()
        with self._told():
            found = await application.create_authorization_url(redirect_uri)
        return Departure(found["url"], found["state"], found["nonce"], found["code_verifier"])

    async def arrive(
        self, departure: Departure, *, redirect_uri: str, query: Mapping[str, str]
    ) -> Identity:
        """Who comes back. query: what the provider has sent along with them."""
        if query.get("state") != departure.state:
            raise ProviderError("this is not the login that was begun here", code="state")
        if query.get("error"):
            LOG.info("%s refuses: %s", self.settings.name, query.get("error_description", ""))
            code = query["error"] if _CODE.fullmatch(query["error"]) else "refused"
            raise ProviderError(f"{self.settings.title} refuses the login", code=code)
        issuer = query.get("iss", self.settings.issuer)
        if issuer != self.settings.issuer:  # RFC 9207: another provider must not mix in
            raise ProviderError("another provider has answered", code="issuer")
        if not query.get("code"):
            raise ProviderError(f"{self.settings.title} has sent nothing to go on with", code="code")
        application = await self._open()
        with self._told():
            token = await application.fetch_access_token(
                redirect_uri=redirect_uri, code=query["code"], code_verifier=departure.verifier
            )
            if not token.get("id_token"):
                raise ProviderError("the provider does not say who it is", code="id_token")
            claims = await application.parse_id_token(
                token,
                nonce=departure.nonce,
                claims_options=self._wanted(),
                leeway=LEEWAY_SECONDS,
            )
            more = await self._userinfo(application, token, claims)
        return self._identity({**more, **claims})

    async def _open(self) -> Any:
        """The client that Authlib makes of what the provider says of itself."""
        now = self._clock.monotonic()
        if self._application is None or now - self._asked > FRESH_SECONDS:
            with self._told():
                application = _application(self.settings)
                metadata = await application.load_server_metadata()
                self._check(metadata)
            self._application, self._asked = application, now
        return self._application

    def _check(self, metadata: dict[str, Any]) -> None:
        """Refuse what no provider may say of itself, and leave out what this one may not use."""
        if metadata.get("issuer") != self.settings.issuer:  # OpenID Connect Discovery §4.3
            raise ProviderError(
                f"{self.settings.issuer} says that it is {metadata.get('issuer')}",
                code="issuer",
                remedy="write the issuer in the settings as the provider does",
            )
        said = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = sorted(ALGORITHMS.intersection(said))

    def _wanted(self) -> dict[str, Any]:
        """What an id token has to say; `azp` and the nonce are checked besides."""
        return {
            "iss": {"essential": True, "values": [self.settings.issuer]},
            "aud": {"essential": True, "values": [self.settings.client_id]},
        }

    async def _userinfo(
        self, application: Any, token: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What the provider says elsewhere, where the token does not say enough."""
        wanted = (self.settings.name_claim, self.settings.groups_claim)
        metadata = await application.load_server_metadata()
        if all(claim in claims for claim in wanted if claim) or not metadata.get("userinfo_endpoint"):
            return {}
        found: dict[str, Any] = await application.userinfo(token=token)
        if found.get("sub") != claims["sub"]:  # OpenID Connect §5.3.2
            raise ProviderError("the provider speaks of somebody else", code="userinfo")
        return found

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        settings = self.settings
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject.isprintable() or not subject:
            raise ProviderError("the provider's name for them cannot be used", code="sub")
        email = _text(claims.get("email")) if claims.get("email_verified", True) is True else ""
        groups: tuple[str, ...] | None = None
        if settings.groups_claim:
            said = claims.get(settings.groups_claim, ())
            listed = said if isinstance(said, list | tuple) else (said,)
            groups = tuple(group for group in listed if isinstance(group, str))
        return Identity(
            issuer=settings.issuer,
            subject=subject,
            name=_text(claims.get(settings.name_claim)) or email or subject,
            email=email,
            groups=groups,
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Within it, whatever goes wrong between the host and the provider is a ProviderError."""
        from authlib.common.errors import AuthlibBaseError
        from httpx2 import HTTPError, InvalidURL
        from joserfc.errors import JoseError

        title = self.settings.title
        try:
            yield
        except AuthlibBaseError as error:
            LOG.warning("login through %s: %s", self.settings.name, error)
            raise ProviderError(f"{title} does not accept the login", code=str(error.error)) from error
        except JoseError as error:
            LOG.warning("login through %s: the id token: %s", self.settings.name, error)
            message = f"what {title} says of who it is cannot be believed"
            raise ProviderError(message, code="id_token", remedy="try again") from error
        except (HTTPError, InvalidURL) as error:
            LOG.warning("%s cannot be reached: %s", self.settings.issuer, error)
            message = f"{title} cannot be reached"
            raise ProviderError(message, code="away", away=True, remedy="try again later") from error
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            LOG.warning("login through %s came to nothing", self.settings.name, exc_info=error)
            raise ProviderError(f"{title} answers what it should not", code="answer") from error


def _application(settings: ProviderSettings) -> Any:
    """Authlib's client of a provider, without a web framework around it."""
    from authlib.integrations.base_client.async_app import AsyncOAuth2Mixin
    from authlib.integrations.base_client.async_openid import AsyncOpenIDMixin
    from authlib.integrations.httpx_client import AsyncOAuth2Client

    class Application(AsyncOAuth2Mixin, AsyncOpenIDMixin):  # type: ignore[misc] # it has no types
        client_cls = AsyncOAuth2Client

        async def get(self, url: str, **options: Any) -> Any:
            return await self.request("GET", url, **options)

    return Application(
        None,
        name=settings.name,
        client_id=settings.client_id,
        client_secret=settings.client_secret or None,
        server_metadata_url=f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": " ".join(settings.scopes),
            "code_challenge_method": "S256",
            "timeout": TIMEOUT_SECONDS,
        },
    )


def _text(claim: Any) -> str:
    return claim.strip() if isinstance(claim, str) and claim.isprintable() else ""
