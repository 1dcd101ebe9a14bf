//! The tables as diesel sees them, the same for both databases.

diesel::table! {
    credentials (user_id) {
        user_id -> Text,
        username_key -> Text,
        email_key -> Text,
        password_hash -> Nullable<Text>,
        password_set_at_ms -> BigInt,
        account -> Text,
        account_version -> BigInt,
        status -> Text,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        user_id -> Text,
        ip -> Text,
        user_agent -> Nullable<Text>,
        created_at_ms -> BigInt,
        last_used_at_ms -> BigInt,
        expires_at_ms -> BigInt,
        ended_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    refresh_tokens (hash) {
        hash -> Binary,
        session_id -> Text,
        salt -> Binary,
        created_at_ms -> BigInt,
        expires_at_ms -> BigInt,
        replaced_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    signing_keys (kid) {
        kid -> Text,
        public_key -> Binary,
        private_key -> Binary,
        created_at_ms -> BigInt,
        expires_at_ms -> BigInt,
    }
}

diesel::table! {
    audit_log (id) {
        id -> Text,
        user_id -> Nullable<Text>,
        actor_id -> Nullable<Text>,
        event -> Text,
        ip -> Text,
        user_agent -> Nullable<Text>,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    throttles (key) {
        key -> Binary,
        failures -> BigInt,
        not_before_ms -> BigInt,
        expires_at_ms -> BigInt,
    }
}

diesel::table! {
    mails (id) {
        id -> Text,
        recipient -> Text,
        subject -> Text,
        body -> Text,
        created_at_ms -> BigInt,
        attempts -> BigInt,
        next_attempt_at_ms -> BigInt,
    }
}

diesel::table! {
    mailed_links (hash) {
        hash -> Binary,
        purpose -> Text,
        user_id -> Text,
        email_key -> Text,
        expires_at_ms -> BigInt,
    }
}

diesel::table! {
    mfa_totp (user_id) {
        user_id -> Text,
        secret -> Binary,
        confirmed_at_ms -> Nullable<BigInt>,
        last_step -> BigInt,
    }
}

diesel::table! {
    mfa_recovery_codes (user_id, hash) {
        user_id -> Text,
        hash -> Binary,
        used_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    mfa_challenges (hash) {
        hash -> Binary,
        user_id -> Text,
        refresh_in -> Text,
        attempts -> BigInt,
        expires_at_ms -> BigInt,
    }
}

diesel::table! {
    passkeys (id) {
        id -> Text,
        user_id -> Text,
        credential_id -> Binary,
        name -> Text,
        credential -> Text,
        created_at_ms -> BigInt,
        last_used_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    passkey_ceremonies (hash) {
        hash -> Binary,
        purpose -> Text,
        user_id -> Nullable<Text>,
        state -> Text,
        expires_at_ms -> BigInt,
    }
}
