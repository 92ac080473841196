<?php
// Receives Airalo's webhooks from an `http` handler: verifies each and handles it once, in one transaction.
//
//     DATABASE_URL=postgres://… SHOP_WEBHOOK_SECRET=whsec_… php -S 127.0.0.1:9090 receiver.php
//
// `php -S` is only for a trial: it serves one request at a time, and a huge content-length ends it. In production use
// FPM behind a server that limits the size of requests.
//
// After `composer require standard-webhooks/standard-webhooks` in this folder, that library verifies. Without it,
// standard_webhooks.php does the same in a few lines.

declare(strict_types=1);

if (is_file(__DIR__ . '/vendor/autoload.php')) {
    require __DIR__ . '/vendor/autoload.php';
}
if (!class_exists(\StandardWebhooks\Webhook::class)) {
    require __DIR__ . '/standard_webhooks.php';
}

/** Your code. Its writes through this connection commit together with the record that the webhook is handled. */
function work(PDO $database, string $kind, array $payload): void
{
    $order = is_array($payload['data'] ?? null) ? $payload['data'] : $payload;
    // Airalo sends it next to the order. Some of its documentation shows it inside.
    $requestId = $payload['request_id'] ?? $order['request_id'] ?? null;
    if ($kind === 'airalo.order.completed') {
        $insert = $database->prepare('INSERT INTO shop.esims VALUES (?, ?, ?, ?, ?)');
        foreach ($order['sims'] as $sim) {
            $insert->execute([$sim['iccid'], $requestId, (string) $order['id'], $order['description'] ?? null, $sim['qrcode'] ?? null]);
        }
    } elseif (in_array($kind, ['airalo.order.failed', 'airalo.order.completed.conflict', 'airalo.order.overdue'], true)) {
        $message = $order['reason'] ?? $payload['reason'] ?? $payload['message'] ?? 'a second order for one request';
        $database->prepare('INSERT INTO shop.alerts (type, request_id, message) VALUES (?, ?, ?)')->execute([$kind, $requestId, $message]);
    }
}

function database(): PDO
{
    $url = parse_url(getenv('DATABASE_URL'));
    parse_str($url['query'] ?? '', $more);
    $settings = [
        // In a URL an IPv6 address is in brackets.
        'host' => $more['host'] ?? trim(rawurldecode($url['host'] ?? 'localhost'), '[]'),
        'port' => $more['port'] ?? $url['port'] ?? 5432,
        'dbname' => rawurldecode(ltrim($url['path'] ?? '', '/')),
        ...array_intersect_key($more, array_flip(['sslmode', 'sslrootcert', 'sslcert', 'sslkey'])),
    ];
    $quoted = array_map(fn ($name, $value) => $name . "='" . addcslashes((string) $value, "'\\") . "'", array_keys($settings), $settings);
    return new PDO('pgsql:' . implode(';', $quoted), rawurldecode($url['user'] ?? ''), rawurldecode($url['pass'] ?? ''), [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
}

const LARGEST_BODY = 4 * 1024 * 1024;

// The server in front limits the time and the size of a request before this program sees it (nginx:
// client_max_body_size, client_body_timeout).
$body = file_get_contents('php://input', false, null, 0, LARGEST_BODY + 1);
if ($body === false || strlen($body) > LARGEST_BODY) {
    http_response_code(413);
    return;
}
$headers = array_change_key_case(getallheaders());
try {
    // The signature covers the exact bytes, so it is verified before anything is parsed.
    (new \StandardWebhooks\Webhook(getenv('SHOP_WEBHOOK_SECRET')))->verify($body, $headers);
} catch (Throwable) {
    // Any error means that the request is not verified, for example a malformed header or a body that is not text.
    http_response_code(401);
    return;
}
try {
    $database = database();
    $database->beginTransaction();
    $mark = $database->prepare('INSERT INTO shop.received (webhook_id) VALUES (?) ON CONFLICT DO NOTHING');
    $mark->execute([$headers['webhook-id']]);
    if ($mark->rowCount() === 1) {
        // The type is not signed, so only Hookfast may be able to reach this address.
        work($database, $headers['hookfast-type'], json_decode($body, true, 512, JSON_THROW_ON_ERROR));
    }
    $database->commit();
    http_response_code(204);
} catch (Throwable $error) {
    error_log('not handled, it will be sent again: ' . $error->getMessage());
    http_response_code(500);
}
