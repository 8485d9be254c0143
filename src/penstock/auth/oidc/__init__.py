"""Login through an OpenID Connect provider.

    settings.py   `[oidc.NAME]` of a settings file
    provider.py   what the provider is asked, and what it says of somebody
    arrival.py    from what it says to a user here

The steps of the protocol, and all that is signed in it, are Authlib's.
"""
