-- find_messages: the ids of an organization's messages in these projects that a filter means, at most p_limit, the newest first
-- or with p_ascending the oldest; each lies between p_above and p_below, both not included.
--
-- p_filter: any of recipient (an address of the envelope), sender (of the envelope), subject (all of it), tag (name:value) and
-- source, which must be equal but for the case of ASCII letters in the first three; and events: what last_event must be.
--
-- The narrowest of them leads: its index gives ids in their order, piece by piece, and the rest is asked of the messages that
-- these are. So the first page costs the same as the last, and a small table the same as a large one. At most about p_look
-- ids are looked at: where those did not fill the page, looked_to says how far it got, and the next call goes on there.
create or replace function postel.find_messages(
  p_organization_id uuid,
  p_project_ids uuid[],
  p_filter jsonb default '{}',
  p_limit integer default 100,
  p_above uuid default null,
  p_below uuid default null,
  p_ascending boolean default false,
  p_look integer default 1400,
  out ids uuid[],
  out looked_to uuid
)
language plpgsql stable
-- Planned once per connection, because planning takes far longer than running: short ranges of an index in its own order,
-- and a look-up by key for each id that they give
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set enable_memoize = off
set jit = off
set max_parallel_workers_per_gather = 0
as $$
declare
  v_recipient text := lower((p_filter ->> 'recipient') collate "C");
  v_sender text := lower((p_filter ->> 'sender') collate "C");
  v_subject text := lower((p_filter ->> 'subject') collate "C");
  v_tag text := p_filter ->> 'tag';
  v_source text := p_filter ->> 'source';
  v_events text[] := array(select jsonb_array_elements_text(p_filter -> 'events'));
  v_any boolean := v_events = '{}';
  -- The events that tell of those among them that not every message has
  v_rare text[] := array(
    select distinct t
    from unnest(v_events) as e
    cross join lateral unnest(
      case e when 'failed' then array['bounced', 'expired'] when 'bounced' then array['bounced', 'returned'] else array[e] end
    ) as t
    where t in ('bounced', 'returned', 'expired', 'cancelled', 'suppressed', 'opened', 'clicked', 'complained')
  );
  v_above uuid := coalesce(p_above, '00000000-0000-0000-0000-000000000000');
  v_below uuid := coalesce(p_below, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_up boolean := p_ascending;
  v_size integer := p_limit;
  v_piece uuid[];
  v_looked integer := 0;
begin
  ids := '{}';
  loop
    -- Rows are compared as a whole and put in the order of the whole index, because the planner would otherwise read a
    -- more general index through for a value that it thinks is frequent
    if v_recipient is not null then
      v_piece := array(
        (select x.id
        from (
          select distinct hashtextextended(lower(d.recipient collate "C"), 0) as k0, d.message_id as id
          from postel.deliveries d
          where not v_up and d.message_id > v_above and d.message_id < v_below
            and (hashtextextended(lower(d.recipient collate "C"), 0), d.message_id) > (hashtextextended(v_recipient, 0), v_above)
            and (hashtextextended(lower(d.recipient collate "C"), 0), d.message_id) < (hashtextextended(v_recipient, 0), v_below)
          order by 1 desc, 2 desc limit v_size
        ) as x)
        union all
        (select x.id
        from (
          select distinct hashtextextended(lower(d.recipient collate "C"), 0) as k0, d.message_id as id
          from postel.deliveries d
          where v_up and d.message_id > v_above and d.message_id < v_below
            and (hashtextextended(lower(d.recipient collate "C"), 0), d.message_id) > (hashtextextended(v_recipient, 0), v_above)
            and (hashtextextended(lower(d.recipient collate "C"), 0), d.message_id) < (hashtextextended(v_recipient, 0), v_below)
          order by 1, 2 limit v_size
        ) as x)
      );
    elsif v_subject is not null then
      v_piece := array(
        select x.id
        from unnest(p_project_ids) as p (id)
        cross join lateral (
          (select m.id from postel.messages m
          where not v_up and m.id > v_above and m.id < v_below
            and (hashtextextended(lower(m.subject collate "C"), uuid_hash_extended(m.project_id, 0)), m.id) > (hashtextextended(v_subject, uuid_hash_extended(p.id, 0)), v_above)
            and (hashtextextended(lower(m.subject collate "C"), uuid_hash_extended(m.project_id, 0)), m.id) < (hashtextextended(v_subject, uuid_hash_extended(p.id, 0)), v_below)
          order by hashtextextended(lower(m.subject collate "C"), uuid_hash_extended(m.project_id, 0)) desc, m.id desc limit v_size)
          union all
          (select m.id from postel.messages m
          where v_up and m.id > v_above and m.id < v_below
            and (hashtextextended(lower(m.subject collate "C"), uuid_hash_extended(m.project_id, 0)), m.id) > (hashtextextended(v_subject, uuid_hash_extended(p.id, 0)), v_above)
            and (hashtextextended(lower(m.subject collate "C"), uuid_hash_extended(m.project_id, 0)), m.id) < (hashtextextended(v_subject, uuid_hash_extended(p.id, 0)), v_below)
          order by hashtextextended(lower(m.subject collate "C"), uuid_hash_extended(m.project_id, 0)), m.id limit v_size)
        ) as x
      );
    elsif v_rare <> '{}' and v_rare @> array_replace(v_events, 'failed', 'bounced') then
      v_piece := array(
        select distinct x.id
        from unnest(v_rare) as t (type)
        cross join lateral (
          (select x.id
          from (
            select distinct e.organization_id as k0, e.type as k1, e.message_id as id
            from postel.events e
            where e.type not in ('accepted', 'queued', 'deferred', 'delivered', 'held', 'released') and not v_up and e.message_id > v_above and e.message_id < v_below
              and (e.organization_id, e.type, e.message_id) > (p_organization_id, t.type, v_above)
              and (e.organization_id, e.type, e.message_id) < (p_organization_id, t.type, v_below)
            order by 1 desc, 2 desc, 3 desc limit v_size
          ) as x)
          union all
          (select x.id
          from (
            select distinct e.organization_id as k0, e.type as k1, e.message_id as id
            from postel.events e
            where e.type not in ('accepted', 'queued', 'deferred', 'delivered', 'held', 'released') and v_up and e.message_id > v_above and e.message_id < v_below
              and (e.organization_id, e.type, e.message_id) > (p_organization_id, t.type, v_above)
              and (e.organization_id, e.type, e.message_id) < (p_organization_id, t.type, v_below)
            order by 1, 2, 3 limit v_size
          ) as x)
        ) as x
      );
    elsif not v_any and v_events <@ array['scheduled', 'deferred'] then
      v_piece := array(
        select distinct x.id
        from unnest(p_project_ids) as p (id)
        cross join lateral (
          (select x.id
          from (
            select distinct w.project_id as k0, w.message_id as id
            from postel.waiting w
            where not v_up and w.message_id > v_above and w.message_id < v_below
              and (w.project_id, w.message_id) > (p.id, v_above)
              and (w.project_id, w.message_id) < (p.id, v_below)
            order by 1 desc, 2 desc limit v_size
          ) as x)
          union all
          (select x.id
          from (
            select distinct w.project_id as k0, w.message_id as id
            from postel.waiting w
            where v_up and w.message_id > v_above and w.message_id < v_below
              and (w.project_id, w.message_id) > (p.id, v_above)
              and (w.project_id, w.message_id) < (p.id, v_below)
            order by 1, 2 limit v_size
          ) as x)
        ) as x
      );
    elsif v_tag is not null then
      v_piece := array(
        select x.message_id
        from unnest(p_project_ids) as p (id)
        cross join lateral (
          (select t.message_id from postel.message_tags t
          where not v_up and t.message_id > v_above and t.message_id < v_below
            and (t.project_id, t.tag, t.message_id) > (p.id, v_tag, v_above)
            and (t.project_id, t.tag, t.message_id) < (p.id, v_tag, v_below)
          order by t.project_id desc, t.tag desc, t.message_id desc limit v_size)
          union all
          (select t.message_id from postel.message_tags t
          where v_up and t.message_id > v_above and t.message_id < v_below
            and (t.project_id, t.tag, t.message_id) > (p.id, v_tag, v_above)
            and (t.project_id, t.tag, t.message_id) < (p.id, v_tag, v_below)
          order by t.project_id, t.tag, t.message_id limit v_size)
        ) as x
      );
    elsif v_sender is not null then
      v_piece := array(
        select x.id
        from unnest(p_project_ids) as p (id)
        cross join lateral (
          (select m.id from postel.messages m
          where not v_up and m.id > v_above and m.id < v_below
            and (hashtextextended(lower(m.envelope_from collate "C"), uuid_hash_extended(m.project_id, 0)), m.id) > (hashtextextended(v_sender, uuid_hash_extended(p.id, 0)), v_above)
            and (hashtextextended(lower(m.envelope_from collate "C"), uuid_hash_extended(m.project_id, 0)), m.id) < (hashtextextended(v_sender, uuid_hash_extended(p.id, 0)), v_below)
          order by hashtextextended(lower(m.envelope_from collate "C"), uuid_hash_extended(m.project_id, 0)) desc, m.id desc limit v_size)
          union all
          (select m.id from postel.messages m
          where v_up and m.id > v_above and m.id < v_below
            and (hashtextextended(lower(m.envelope_from collate "C"), uuid_hash_extended(m.project_id, 0)), m.id) > (hashtextextended(v_sender, uuid_hash_extended(p.id, 0)), v_above)
            and (hashtextextended(lower(m.envelope_from collate "C"), uuid_hash_extended(m.project_id, 0)), m.id) < (hashtextextended(v_sender, uuid_hash_extended(p.id, 0)), v_below)
          order by hashtextextended(lower(m.envelope_from collate "C"), uuid_hash_extended(m.project_id, 0)), m.id limit v_size)
        ) as x
      );
    else
      v_piece := array(
        select x.id
        from unnest(p_project_ids) as p (id)
        cross join lateral (
          (select m.id from postel.messages m
          where not v_up and m.id > v_above and m.id < v_below
            and (m.project_id, m.id) > (p.id, v_above)
            and (m.project_id, m.id) < (p.id, v_below)
          order by m.project_id desc, m.id desc limit v_size)
          union all
          (select m.id from postel.messages m
          where v_up and m.id > v_above and m.id < v_below
            and (m.project_id, m.id) > (p.id, v_above)
            and (m.project_id, m.id) < (p.id, v_below)
          order by m.project_id, m.id limit v_size)
        ) as x
      );
    end if;
    -- Each project gave its nearest: of all together only the nearest are certain to leave no gap
    if v_up then
      v_piece := array(select i from unnest(v_piece) as i order by i limit v_size);
    else
      v_piece := array(select i from unnest(v_piece) as i order by i desc limit v_size);
    end if;

    ids := ids || array(
      select m.id
      from unnest(v_piece) with ordinality as c (id, position)
      join postel.messages m on m.id = c.id
      where m.organization_id = p_organization_id and m.project_id = any (p_project_ids)
        and (v_sender is null or lower(m.envelope_from collate "C") = v_sender)
        and (v_subject is null or lower(m.subject collate "C") = v_subject)
        and (v_source is null or m.source = v_source)
        and (v_tag is null or exists (
          select from postel.message_tags t
          where t.project_id = m.project_id and t.tag = v_tag and t.message_id = m.id
        ))
        and (v_recipient is null or exists (
          select from postel.deliveries d
          where d.message_id = m.id and lower(d.recipient collate "C") = v_recipient
        ))
        and (v_any or exists (select from postel.last_event(m.id) as l where l.event = any (v_events)))
      order by c.position
    );
    v_looked := v_looked + cardinality(v_piece);
    exit when cardinality(ids) >= p_limit or cardinality(v_piece) < v_size;
    if v_looked >= p_look then
      looked_to := v_piece[v_size];
      exit;
    end if;
    if v_up then
      v_above := v_piece[v_size];
    else
      v_below := v_piece[v_size];
    end if;
    v_size := least(v_size * 4, 1000);
  end loop;
  ids := ids[:p_limit];
end
$$;
comment on function postel.find_messages(uuid, uuid[], jsonb, integer, uuid, uuid, boolean, integer) is
  'The messages of an organization that a filter means, by id; GET /emails calls it.';
