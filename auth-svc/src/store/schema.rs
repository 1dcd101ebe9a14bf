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
