"""The shop's tables and indexes."""

TABLES = """
CREATE TABLE categories (
    id INTEGER PRIMARY KEY,
    parent_id INTEGER REFERENCES categories (id),
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    position INTEGER NOT NULL
);
CREATE TABLE brands (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    country TEXT NOT NULL
);
CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    brand_id INTEGER NOT NULL REFERENCES brands (id),
    department_id INTEGER NOT NULL REFERENCES categories (id),
    price_cents INTEGER NOT NULL,
    weight_g INTEGER NOT NULL,
    stock INTEGER NOT NULL,
    active INTEGER NOT NULL DEFAULT 1,
    image TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at TEXT NOT NULL,
    description TEXT NOT NULL
);
CREATE TABLE product_category (
    product_id INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    category_id INTEGER NOT NULL REFERENCES categories (id),
    PRIMARY KEY (product_id, category_id)
);
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    is_staff INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
);
CREATE TABLE addresses (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    street TEXT NOT NULL,
    postcode TEXT NOT NULL,
    city TEXT NOT NULL,
    country TEXT NOT NULL
);
CREATE TABLE coupons (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    percent INTEGER NOT NULL,
    valid_until TEXT NOT NULL
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    address_id INTEGER NOT NULL REFERENCES addresses (id),
    coupon_id INTEGER REFERENCES coupons (id),
    status TEXT NOT NULL,
    total_cents INTEGER NOT NULL,
    placed_at TEXT NOT NULL,
    shipped_at TEXT,
    cancelled_at TEXT
);
CREATE TABLE order_items (
    id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES orders (id),
    product_id INTEGER NOT NULL REFERENCES products (id),
    quantity INTEGER NOT NULL,
    price_cents INTEGER NOT NULL
);
CREATE TABLE reviews (
    id INTEGER PRIMARY KEY,
    product_id INTEGER NOT NULL REFERENCES products (id),
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    rating INTEGER NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE sessions (
    token TEXT NOT NULL PRIMARY KEY,
    customer_id INTEGER REFERENCES customers (id) ON DELETE CASCADE,
    csrf TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
CREATE TABLE carts (
    id INTEGER PRIMARY KEY,
    session_token TEXT REFERENCES sessions (token) ON DELETE SET NULL,
    updated_at TEXT NOT NULL
);
CREATE TABLE cart_items (
    id INTEGER PRIMARY KEY,
    cart_id INTEGER NOT NULL REFERENCES carts (id) ON DELETE CASCADE,
    product_id INTEGER NOT NULL REFERENCES products (id),
    quantity INTEGER NOT NULL,
    UNIQUE (cart_id, product_id)
);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    session_token TEXT,
    cart_id INTEGER REFERENCES carts (id) ON DELETE SET NULL,
    product_id INTEGER,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    browser TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY,
    actor_id INTEGER,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_at TEXT NOT NULL
);
"""

INDEXES = """
CREATE INDEX idx_categories_parent ON categories (parent_id);
CREATE INDEX idx_products_brand ON products (brand_id);
CREATE INDEX idx_customers_last_name ON customers (last_name);
CREATE INDEX idx_addresses_customer ON addresses (customer_id);
CREATE INDEX idx_orders_customer ON orders (customer_id);
CREATE INDEX idx_orders_status ON orders (status);
CREATE INDEX idx_order_items_product ON order_items (product_id);
CREATE INDEX order_items_product_id_idx ON order_items (product_id);
CREATE INDEX idx_reviews_customer ON reviews (customer_id);
CREATE INDEX idx_sessions_customer ON sessions (customer_id);
CREATE INDEX idx_carts_session ON carts (session_token);
CREATE INDEX idx_cart_items_cart ON cart_items (cart_id);
CREATE INDEX idx_events_session ON events (session_token);
CREATE INDEX idx_events_cart ON events (cart_id);
CREATE INDEX idx_events_browser ON events (browser);
"""
