"""Frames of Noren's socket, built from the documentation (noren.md, 7)."""

TOUCH = {
    "t": "tk", "e": "NSE", "tk": "11630", "ts": "NTPC-EQ", "pp": "2", "ls": "1", "ti": "0.05", "lp": "118.55",
    "h": "118.65", "l": "118.10", "ap": "118.39", "v": "162220", "bp1": "118.45", "sp1": "118.50", "bq1": "26",
    "sq1": "6325",
}  # fmt: skip
TOUCH_CHANGE = {
    "t": "tf", "e": "NSE", "tk": "11630", "lp": "118.45", "ap": "118.40", "v": "166637", "sp1": "118.55", "bq1": "3135",
    "sq1": "30",
}  # fmt: skip
INDEX = {
    "t": "tk", "e": "NSE", "tk": "26000", "ts": "Nifty 50", "pp": "2", "ls": "1", "ti": "0.05", "lp": "24868.45",
    "pc": "-0.97", "c": "25112.40", "ft": "1750652109", "o": "24939.75", "h": "24988.10", "l": "24858.75",
    "toi": "62170200",
}  # fmt: skip
RELIANCE_BOOK = {
    "t": "dk", "e": "NSE", "tk": "2885", "ts": "RELIANCE-EQ", "pp": "2", "lp": "1156.50", "c": "1152.65",
    **{f"bp{n + 1}": f"{1156 - n}.00" for n in range(5)},
    **{f"bq{n + 1}": str(10 + n) for n in range(5)},
    **{f"bo{n + 1}": str(1 + n) for n in range(5)},
    **{f"sp{n + 1}": f"{1156 + n}.50" for n in range(5)},
    **{f"sq{n + 1}": str(20 + n) for n in range(5)},
    **{f"so{n + 1}": "1" for n in range(5)},
}  # fmt: skip
RELIANCE_CHANGE = {"t": "df", "e": "NSE", "tk": "2885", "bq1": "7", "sp1": "1156.55"}
