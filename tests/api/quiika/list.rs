//! `GET /auth/sessions`, `GET /auth/sessions/active`, `GET /auth/sessions/count`.
