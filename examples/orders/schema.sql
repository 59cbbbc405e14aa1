-- SPDX-License-Identifier: MIT
-- What orders.c writes to. Nothing here refuses a number that comes twice: where the server can, let it. Here it is
-- the client that must not let it happen.

CREATE TABLE orders (
	number bigint NOT NULL,
	submitted timestamptz NOT NULL DEFAULT now()
);

-- The number counts, not the row: an order that arrives after it was made void is void.
CREATE TABLE voided (
	number bigint PRIMARY KEY
);

CREATE VIEW valid_orders AS
	SELECT * FROM orders WHERE number NOT IN (SELECT number FROM voided);
