-- encode_header: a header value as RFC 5322 allows it: ASCII as it is, anything else as RFC 2047 encoded words, one a
-- line. Lines stay within 76 characters where the field's name and colon take no more than `Subject: ` does. Control
-- characters are refused, so a value cannot add a header.
create or replace function postel.encode_header(p_value text) returns text
language plpgsql immutable
as $$
declare
  v_words text[] := '{}';
  v_word text := '';
  v_char text;
  v_room integer := 39;
begin
  if p_value ~ '[\x01-\x1f\x7f\u2028\u2029]' then
    raise exception 'a header value must not contain line breaks or control characters: %', quote_literal(left(p_value, 100))
      using errcode = 'invalid_parameter_value';
  end if;
  if p_value !~ '[^\x20-\x7e]' and length(p_value) <= 900 then
    return p_value;
  end if;
  foreach v_char in array regexp_split_to_array(p_value, '') loop
    if octet_length(convert_to(v_word || v_char, 'UTF8')) > v_room then
      v_words := v_words || v_word;
      v_word := '';
      v_room := 45;
    end if;
    v_word := v_word || v_char;
  end loop;
  v_words := v_words || v_word;
  return (
    select string_agg('=?UTF-8?B?' || encode(convert_to(w.word, 'UTF8'), 'base64') || '?=', E'\r\n ' order by w.position)
    from unnest(v_words) with ordinality as w (word, position)
  );
end
$$;
comment on function postel.encode_header(text) is 'A header value in ASCII, RFC 2047 encoded where it must be.';
