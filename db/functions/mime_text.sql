-- mime_text: one text part, base64 in lines of 76 characters, with its headers and a final line end.
create or replace function postel.mime_text(p_subtype text, p_text text) returns text
language sql immutable
as $$
  select
    'Content-Type: text/' || p_subtype || E'; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n' ||
    replace(
      encode(convert_to(regexp_replace(p_text, E'\r\n|\r|\n', E'\r\n', 'g'), 'UTF8'), 'base64'),
      E'\n', E'\r\n'
    ) || E'\r\n'
$$;
comment on function postel.mime_text(text, text) is 'A MIME text part with its headers.';
