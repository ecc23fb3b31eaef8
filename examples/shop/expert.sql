-- What an engineer who knows the workload would change by hand; see the README for the reasons.

-- Missing
CREATE INDEX expert_order_items_order ON order_items (order_id, product_id, quantity);
CREATE INDEX expert_reviews_product ON reviews (product_id, created_at, rating);
CREATE INDEX expert_products_department ON products (department_id, created_at);
CREATE INDEX expert_product_category ON product_category (category_id, product_id);
CREATE INDEX expert_orders_status ON orders (status, placed_at);
CREATE INDEX expert_orders_placed ON orders (placed_at, total_cents);
CREATE INDEX expert_orders_unshipped ON orders (placed_at) WHERE shipped_at IS NULL AND cancelled_at IS NULL;
CREATE INDEX expert_customers_email ON customers (lower(email));
CREATE INDEX expert_customers_last_name ON customers (last_name COLLATE NOCASE);

-- Superfluous
DROP INDEX order_items_product_id_idx;
DROP INDEX idx_cart_items_cart;
DROP INDEX idx_events_browser;
DROP INDEX idx_orders_status;
DROP INDEX idx_customers_last_name;
