-- header_text: a header value for display, at most 998 characters. p_octets has one character per octet (LATIN1), folded
-- or not. It is read as UTF-8 where it is that; encoded words (RFC 2047) in UTF-8 are decoded, those in other charsets and
-- malformed ones stay; control characters become spaces. Never raises.
create or replace function postel.header_text(p_octets text) returns text
language plpgsql immutable
as $$
declare
  v_text text := btrim(regexp_replace(left(p_octets, 10000), '\r\n(?=[ \t])', '', 'g'), E' \t');
  v_decoded text := '';
  v_run bytea := '';
  v_part text[];
begin
  begin
    v_text := convert_from(convert_to(v_text, 'LATIN1'), 'UTF8');
  exception when data_exception then null;
  end;
  if v_text ~* '=\?utf-8[*?]' then
    begin
      -- White space between two words is none (§6.2), and a character may be split between them
      for v_part in
        select regexp_matches(
          regexp_replace(v_text, '(\?=)\s+(?==\?utf-8(?:\*[a-z-]*)?\?[bq]\?[^?\s]*\?=)', '\1', 'gi'),
          '=\?utf-8(?:\*[a-z-]*)?\?([bq])\?([^?\s]*)\?=|((?:(?!=\?utf-8[*?]).)+|.)', 'gi'
        )
      loop
        if lower(v_part[1]) = 'b' then
          v_run := v_run || decode(v_part[2], 'base64');
        elsif lower(v_part[1]) = 'q' then
          v_run := v_run || (
            select coalesce(decode(string_agg(
              case
                when q.piece[1] ~* '^=[0-9a-f]{2}$' then substr(q.piece[1], 2)
                else encode(convert_to(replace(q.piece[1], '_', ' '), 'UTF8'), 'hex')
              end, '' order by q.position), 'hex'), '')
            from regexp_matches(v_part[2], '=[0-9a-f]{2}|[^=]+|=', 'gi') with ordinality as q (piece, position)
          );
        else
          v_decoded := v_decoded || convert_from(v_run, 'UTF8') || v_part[3];
          v_run := '';
        end if;
      end loop;
      v_text := v_decoded || convert_from(v_run, 'UTF8');
    exception when data_exception then null;
    end;
  end if;
  return left(btrim(regexp_replace(v_text, '[\x01-\x1f\x7f-\x9f\u2028\u2029]+', ' ', 'g')), 998);
end
$$;
comment on function postel.header_text(text) is 'A header value as people read it.';
