"""Tradelab's REST but for orders: the login pages, sessions, the contract file, and what an account holds."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sangam.model.clock import IST, ist_from_ms

from . import tradelab_rows, tradelab_wire
from .app_login import AppLogin
from .authenticator import Authenticator
from .retail import Invalid

if TYPE_CHECKING:
    from .tradelab import Tradelab

LIMITS = {"orders": ((10, 1.0),), "default": ((10, 1.0),)}
"""Nobody publishes them: these are guesses."""

UNAUTHORISED, INPUT, INSIDE = 40000, 44000, 50000
TOTP_QUESTION = "100"
MIN_STATE = 8
"""Characters."""


class TradelabLogin(AppLogin):
    """Sessions die at midnight. Each front has a token of its own, with a header of its own."""

    def __init__(self, seed: str, now_ms: Callable[[], int], redirect_uri: str) -> None:
        self.channel_token = ""
        super().__init__(seed, now_ms, ends=_midnight, key_length=10)
        self.redirect_uri = redirect_uri
        self.channel_secret = self.secret(16)
        self.authenticator = Authenticator(self.api_secret, now_ms)
        self.challenge = ""

    def begin(self) -> None:
        super().begin()
        self.channel_token = ""

    def begin_channel(self) -> None:
        """A session of the channel's front; one of the other goes on while it lives."""
        if not self.alive:
            self.begin()
        self.channel_token = self.new_token()

    def knows(self, request: Request) -> bool:
        bearer, channel = request.headers.get("authorization"), request.headers.get("x-authorization-token")
        return self.alive and (
            bearer == f"Bearer {self.access_token}" or (channel == self.channel_token and bool(channel))
        )


def _midnight(now_ms: int) -> int:
    tomorrow = ist_from_ms(now_ms).date() + timedelta(days=1)
    return int(datetime.combine(tomorrow, time(), IST).timestamp() * 1000)


class TradelabRest:
    def __init__(self, broker: "Tradelab") -> None:
        self._broker = broker

    def routes(self) -> list[BaseRoute]:
        signed, variant = self._broker.signed, self._broker.variant
        channel = [
            Route("/api/v3/user/login", self._channel_login, methods=["POST"]),
            Route("/api/v3/user/twofa", self._channel_code, methods=["POST"]),
        ]
        return [
            Route("/oauth2/auth", self._page),
            Route("/oauth2/token", self._token, methods=["POST"]),
            *(channel if variant.channel else []),
            Route("/api/v1/user/trading_info", signed(self._person)),
            Route("/api/v1/user/profile", signed(self._broker.of_client(self._person))),
            Route("/api/v1/contract/Compact", signed(self._contracts)),
            Route("/api/v1/positions", signed(self._broker.of_client(self._positions))),
            Route("/api/v1/holdings", signed(self._broker.of_client(self._holdings))),
            Route(f"/api/{variant.funds[0]}/funds/view", signed(self._broker.of_client(self._funds))),
        ]

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        """In place of the login pages: the user is in, and the browser goes back to the app."""
        query, login = request.query_params, self._broker.login
        state = query.get("state", "")
        known = (query.get("client_id"), query.get("redirect_uri")) == (login.api_key, login.redirect_uri)
        if not known or query.get("response_type") != "code" or len(state) < MIN_STATE:
            return oauth_error("invalid_request", "The request is missing a parameter or has a wrong one.")
        back = {"code": login.code(), "scope": query.get("scope", ""), "state": state}
        return RedirectResponse(f"{login.redirect_uri}?{urlencode(back)}", 302)

    async def _token(self, request: Request) -> Response:
        login = self._broker.login
        scheme, _, app = request.headers.get("authorization", "").partition(" ")
        try:
            told = base64.b64decode(app, validate=True).decode()
        except (binascii.Error, UnicodeError):
            told = ""
        if scheme != "Basic" or told != f"{login.api_key}:{login.api_secret}":
            return oauth_error("invalid_client", "Client authentication failed.", 401)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        wanted = ("authorization_code", login.redirect_uri)
        if (form.get("grant_type"), form.get("redirect_uri")) != wanted or not login.redeem(form.get("code", "")):
            return oauth_error("invalid_grant", "The code is invalid, expired or was used.")
        login.begin()
        self._broker.cut()
        granted = {"access_token": login.access_token, "expires_in": 86399, "scope": "orders holdings"}
        return Response(msgspec.json.encode(granted | {"token_type": "bearer"}), media_type="application/json")

    async def _channel_login(self, request: Request) -> Response:
        login = self._broker.login
        form = await fields(request)
        if (form.get("channel_id"), form.get("channel_secret")) != (self._broker.user_id, login.channel_secret):
            return error(400, INPUT, "Invalid channel id or secret")
        login.challenge = login.secret(24)
        questions = [{"question_id": TOTP_QUESTION, "question": "Enter TOTP"}]
        return success({"twofa": {"twofa_token": login.challenge, "questions": questions, "type": "TOTP"}})

    async def _channel_code(self, request: Request) -> Response:
        login = self._broker.login
        form = await fields(request)
        (answer,) = form.get("twofa") or [{}]
        right = login.challenge and form.get("twofa_token") == login.challenge and form.get("type") == "TOTP"
        asked = (form.get("login_id"), answer.get("question_id")) == (self._broker.user_id, TOTP_QUESTION)
        if not (right and asked and login.authenticator.proves(answer.get("answer"))):
            return error(400, INPUT, "Invalid TOTP")
        login.challenge = ""
        login.begin_channel()
        return success({"auth_token": login.channel_token, "login_id": self._broker.user_id})

    async def _person(self, request: Request) -> Response:
        exchanges = sorted(each.value for each in self._broker.variant.exchanges if not each.is_index)
        return success(
            {
                "client_id": self._broker.user_id,
                "email_id": "client@example.com",
                "exchanges_subscribed": exchanges,
                "name": "CLIENT NAME",
                "products_enabled": ["CNC", "MIS", "NRML"],
                "status": "active",
            }
        )

    # --- what there is, and what is held ------------------------------------------------------------------------------

    async def _contracts(self, request: Request) -> Response:
        content, exchange = self._broker.faults.damaged_master, self._broker.exchange
        if content is None:
            named = request.query_params.get("exchanges", "")
            wanted = set(named.split(",")) if named else {each.value for each in self._broker.variant.exchanges}
            rows = [
                (row, exchange.token(row))
                for row in exchange.contracts
                if row.exchange in self._broker.variant.exchanges and tradelab_wire.exchange_name(row) in wanted
            ]
            content = tradelab_wire.contract_file(rows, apart=self._broker.variant.apart)
        return Response(content, media_type="application/zip")

    async def _positions(self, request: Request) -> Response:
        """By day those that were traded today alone."""
        kind = request.query_params.get("type")
        if kind not in ("live", "historical"):
            raise Invalid("`type` is invalid")
        rows = [
            tradelab_rows.position_row(*owned)
            for owned in self._broker.positions()
            if kind == "historical" or owned.row.buy_quantity or owned.row.sell_quantity
        ]
        return success(rows)

    async def _holdings(self, request: Request) -> Response:
        variant = self._broker.variant
        rows = [tradelab_rows.holding_row(*owned, used, variant) for owned, used in self._broker.holdings()]
        return success({"holdings": rows})

    async def _funds(self, request: Request) -> Response:
        funds = self._broker.portfolio.funds()
        return success(tradelab_rows.funds_row(funds, self._broker.user_id, self._broker.variant))


async def fields(request: Request) -> dict[str, Any]:
    """A JSON body that is an object; anything else is an empty one."""
    try:
        told = msgspec.json.decode(await request.body())
    except msgspec.DecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def success(data: Any, message: str = "") -> Response:
    body = {"status": "success", "message": message, "data": data}
    return Response(msgspec.json.encode(body), media_type="application/json")


def error(status: int, code: int, message: str) -> Response:
    body = {"status": "error", "message": message, "error_code": code, "data": {}}
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def oauth_error(kind: str, text: str, status: int = 400) -> Response:
    body = {"error": kind, "error_description": text}
    return Response(msgspec.json.encode(body), status, media_type="application/json")
