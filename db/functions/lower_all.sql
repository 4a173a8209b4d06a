-- lower_all: every text of an array in lower case.
create or replace function postel.lower_all(p_texts text[]) returns text[]
language sql immutable parallel safe
as $$
  select array(select lower(t.text) from unnest(p_texts) with ordinality as t (text, position) order by t.position)
$$;
comment on function postel.lower_all(text[]) is 'Every text of an array in lower case.';
