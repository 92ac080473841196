<?php
// Replaces the library standard-webhooks/standard-webhooks if it is not installed: same names, same checks.

declare(strict_types=1);

namespace StandardWebhooks\Exception {
    class WebhookVerificationException extends \Exception
    {
    }
}

namespace StandardWebhooks {
    use StandardWebhooks\Exception\WebhookVerificationException;

    class Webhook
    {
        private const TOLERANCE = 300;
        private string $secret;

        public function __construct(string $secret)
        {
            $text = str_starts_with($secret, 'whsec_') ? substr($secret, 6) : $secret;
            $key = base64_decode($text, true);
            if ($key === false || strlen($key) < 24) {
                throw new \InvalidArgumentException('the secret is whsec_ and base64 of 24 bytes at least');
            }
            $this->secret = $key;
        }

        public function verify(string $payload, array $headers): mixed
        {
            $id = $headers['webhook-id'] ?? '';
            $time = $headers['webhook-timestamp'] ?? '';
            if ($id === '' || !ctype_digit($time) || abs(time() - (int) $time) > self::TOLERANCE) {
                throw new WebhookVerificationException('not signed, or not now');
            }
            $expected = base64_encode(hash_hmac('sha256', "$id.$time.$payload", $this->secret, true));
            foreach (explode(' ', $headers['webhook-signature'] ?? '') as $signature) {
                [$version, $value] = explode(',', $signature, 2) + [1 => ''];
                if ($version === 'v1' && hash_equals($expected, $value)) {
                    return json_decode($payload, true);
                }
            }
            throw new WebhookVerificationException('no signature fits');
        }
    }
}
