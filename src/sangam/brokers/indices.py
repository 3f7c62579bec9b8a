"""Index names: the exchanges' and the brokers' spellings, and ours (specs: symbols.md, 3)."""

from collections.abc import Mapping

from sangam.model.enums import Exchange

_BLANKS = str.maketrans("", "", " -/")

NAMES: Mapping[Exchange, Mapping[str, str]] = {
    Exchange.NSE_INDEX: {
        "NIFTY50": "NIFTY", "NIFTYBANK": "BANKNIFTY", "NIFTYFINSERVICE": "FINNIFTY", "NIFTYNEXT50": "NIFTYNXT50",
        "NIFTYMIDSELECT": "MIDCPNIFTY",
    },
    Exchange.BSE_INDEX: {
        "SNSX50": "SENSEX50", "MID150": "BSE150MIDCAPINDEX", "LMI250": "BSE250LARGEMIDCAPINDEX",
        "MSL400": "BSE400MIDSMALLCAPINDEX", "AUTO": "BSEAUTO", "BSECG": "BSECAPITALGOODS", "CARBON": "BSECARBONEX",
        "BSECD": "BSECONSUMERDURABLES", "CPSE": "BSECPSE", "DOL100": "BSEDOLLEX100", "DOL200": "BSEDOLLEX200",
        "DOL30": "BSEDOLLEX30", "ENERGY": "BSEENERGY", "BSEFMC": "BSEFASTMOVINGCONSUMERGOODS",
        "FINSER": "BSEFINANCIALSERVICES", "GREENX": "BSEGREENEX", "BSEHC": "BSEHEALTHCARE",
        "INFRA": "BSEINDIAINFRASTRUCTUREINDEX", "INDSTR": "BSEINDUSTRIALS", "BSEIT": "BSEINFORMATIONTECHNOLOGY",
        "LRGCAP": "BSELARGECAP", "METAL": "BSEMETAL", "MIDCAP": "BSEMIDCAP", "MIDSEL": "BSEMIDCAPSELECTINDEX",
        "OILGAS": "BSEOIL&GAS", "POWER": "BSEPOWER", "REALTY": "BSEREALTY", "SNXT50": "BSESENSEXNEXT50",
        "SMLCAP": "BSESMALLCAP", "SMLSEL": "BSESMALLCAPSELECTINDEX", "SMEIPO": "BSESMEIPO", "TECK": "BSETECK",
        "TELCOM": "BSETELECOM",
    },
}  # fmt: skip
"""What does not become ours by dropping blanks, hyphens and slashes."""


def index_symbol(exchange: Exchange, name: str) -> str:
    """The unified symbol of an index: ``Nifty Bank`` of NSE_INDEX is BANKNIFTY, ``BSE CG`` BSECAPITALGOODS."""
    plain = name.translate(_BLANKS).upper()
    return NAMES.get(exchange, {}).get(plain, plain)
