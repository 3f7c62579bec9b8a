"""Orders: journalled before they are sent, sent once, and never guessed about.

Read it in this order:

- The contract: `ports` (what the doors ask, who executes), `desk` (the doors' answers).
- The way out: `router` over `placing` (placements) and `acting` (all other writes); `admission` says whether an order
  may go, by `checks`, `risk` and `protection`; `sameness` whether it went before; `live` drives the broker's folder;
  `outcome` says what an end proves.
- The journal: `journal` over `standing` (orders in memory) and `acts` (other writes).
- What becomes of it: `updates` merges all news by `states`, holds back `strays`, adopts what is `foreign`, and has
  `telling` pass on what `events` words.
- Evidence: `reconciler` reads books and judges by `evidence` and `fills`; `poller` and `seeking` say when.
- Made of orders: `composites`, `smart`, `legs`, `option_orders`, `closing`, `settling`.
- On the WebSocket: `actions`, with `asked`, `gtt`, `rows` and `failure`.
"""
