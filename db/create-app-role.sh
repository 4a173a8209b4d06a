#!/bin/sh
# Makes the login that the apps connect with: no more than a member of postel_app, to which migrations give its rights. For
# /docker-entrypoint-initdb.d of the Postgres image; elsewhere, run its two statements as a role that may create roles.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$POSTEL_APP_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
create role postel_app nologin;
create role postel_login login in role postel_app password :'password';
SQL
