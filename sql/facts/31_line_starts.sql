-- line_windows: the windows that lines are built with: those in force (is_default), and those they are compared with.
create or replace temp table line_windows as
select
    j.days as join_days,
    g.days as gap_days,
    j.is_default and g.is_default as is_default
from (
    values
    ($line_join_days, true), ($line_join_shorter_days, false), ($line_join_longer_days, false)
) as j (days, is_default)
cross join (
    values
    ($line_gap_days, true), ($line_gap_shorter_days, false), ($line_gap_longer_days, false)
) as g (days, is_default);

-- first_lines: one row an episode treated for metastatic disease: the day on which its first line starts.
create or replace temp table first_lines as
select
    m.patient_key,
    m.episode_key,
    p.observable_through,
    c.placement = 'middle' as is_middle,
    min(d.opening_date) as start_date
from metastatic_episodes as m
inner join drug_courses as d on m.episode_key = d.episode_key
inner join stg_patients as p on m.patient_key = p.patient_key
inner join cases as c on m.patient_key = c.patient_key
where d.opening_date is not null
group by
    m.patient_key,
    m.episode_key,
    p.observable_through,
    c.placement;

-- line_progressions: one row a dated sign of progression: an event, a stop for it, or a relapse seen after the start.
create or replace temp table line_progressions as
select distinct
    f.episode_key,
    i.event_date as progression_date,
    case when i.kind = 'progression' then 'event' else 'relapse' end as kind
from first_lines as f
inner join fct_interruptions as i on f.episode_key = i.episode_key
where i.kind in ('progression', 'recurrence') and i.is_own and i.event_date >= f.start_date
union all
select
    f.episode_key,
    d.progression_date,
    'stop' as kind
from first_lines as f
inner join drug_courses as d on f.episode_key = d.episode_key
where d.progression_date >= f.start_date;

-- drug_stretches: one row an ingredient's doses of metastatic disease with no pause longer than any join window: within
-- such a stretch every join window holds a dose.
create or replace temp table drug_stretches as
with spaced as (
    select
        d.episode_key,
        d.ingredient,
        d.is_active,
        d.dose_date,
        date_diff(
            'day', lag(d.dose_date) over (partition by d.episode_key, d.ingredient order by d.dose_date), d.dose_date
        ) > $line_join_shorter_days as opens
    from metastatic_doses as d
    inner join first_lines as f on d.episode_key = f.episode_key
    where d.dose_date >= f.start_date
),

numbered as (
    select
        *,
        sum(case when opens then 1 else 0 end) over (
            partition by episode_key, ingredient
            order by dose_date
            rows between unbounded preceding and current row
        ) as stretch_number
    from spaced
)

select
    episode_key,
    ingredient,
    is_active,
    min(dose_date) as first_date,
    max(dose_date) as last_date
from numbered
group by
    episode_key,
    ingredient,
    is_active,
    stretch_number;

-- drug_begins: one row a day on which a drug begins after a pause or at all, with the last time before (null: never).
-- A taxane that a regimen's name leaves open is either of the two that it can be.
create or replace temp table drug_begins as
with alike as (
    select distinct
        ingredient,
        ingredient as same_as
    from drug_stretches
    union all
    select
        a.ingredient,
        a.same_as
    from (
        values
        ('docetaxel', 'docetaxel-or-paclitaxel'),
        ('paclitaxel', 'docetaxel-or-paclitaxel'),
        ('docetaxel-or-paclitaxel', 'docetaxel'),
        ('docetaxel-or-paclitaxel', 'paclitaxel')
    ) as a (ingredient, same_as)
)

select
    s.episode_key,
    s.is_active,
    s.first_date as begin_date,
    s.ingredient,
    max(least(o.last_date, cast(s.first_date - 1 as date))) filter (where o.last_date is not null) as given_before
from drug_stretches as s
inner join alike as a on s.ingredient = a.ingredient
left join drug_stretches as o
    on s.episode_key = o.episode_key and a.same_as = o.ingredient and s.first_date > o.first_date
group by
    s.episode_key,
    s.is_active,
    s.first_date,
    s.ingredient;

-- line_candidates: one row a window and a day on which a new line can start, with all that does not depend on where
-- the line before it started. The last three say from which start on the day is what it is:
-- active_before: the longest-ago last time of an active drug that begins; endocrine_before: the same, endocrine.
-- kept_before: the last dose before the day of an active drug that is still given in the window after it.
create or replace temp table line_candidates as
with begins as (
    select
        w.join_days,
        w.gap_days,
        f.episode_key,
        b.begin_date,
        cast(b.begin_date + w.join_days as date) as window_end,
        f.observable_through >= b.begin_date + w.join_days as window_observed,
        min(case when b.is_active then coalesce(b.given_before, date '0001-01-01') end) as active_before,
        min(case when not b.is_active then coalesce(b.given_before, date '0001-01-01') end) as endocrine_before,
        min(
            case
                when b.is_active and date_diff('day', b.given_before, b.begin_date) > w.gap_days then b.given_before
            end
        ) as paused_since
    from first_lines as f
    inner join drug_begins as b on f.episode_key = b.episode_key
    inner join line_windows as w on f.is_middle or w.is_default
    where b.begin_date > f.start_date
    group by
        w.join_days,
        w.gap_days,
        f.episode_key,
        b.begin_date,
        f.observable_through
),

progressed as (
    select
        b.join_days,
        b.gap_days,
        b.episode_key,
        b.begin_date,
        max(p.progression_date) filter (where p.kind = 'event') as event_date,
        max(p.progression_date) filter (where p.kind = 'relapse') as relapse_date,
        max(p.progression_date) filter (where p.kind = 'stop') as stop_date
    from begins as b
    inner join line_progressions as p on b.episode_key = p.episode_key and b.begin_date >= p.progression_date
    group by
        b.join_days,
        b.gap_days,
        b.episode_key,
        b.begin_date
),

neighbours as (
    select
        b.join_days,
        b.gap_days,
        b.episode_key,
        b.begin_date,
        max(least(s.last_date, cast(b.begin_date - 1 as date))) filter (where s.first_date < b.begin_date)
            as any_before,
        coalesce(bool_or(s.is_active and s.last_date >= b.begin_date and s.first_date <= b.window_end), false)
            as active_after
    from begins as b
    inner join drug_stretches as s on b.episode_key = s.episode_key
    group by
        b.join_days,
        b.gap_days,
        b.episode_key,
        b.begin_date
),

kept as (
    select
        b.join_days,
        b.gap_days,
        b.episode_key,
        b.begin_date,
        max(least(o.last_date, cast(b.begin_date - 1 as date))) as kept_before
    from begins as b
    inner join drug_stretches as s
        on
            b.episode_key = s.episode_key
            and s.is_active
            and b.begin_date <= s.last_date
            and b.window_end >= s.first_date
    inner join drug_stretches as o
        on s.episode_key = o.episode_key and s.ingredient = o.ingredient and b.begin_date > o.first_date
    group by
        b.join_days,
        b.gap_days,
        b.episode_key,
        b.begin_date
)

select
    b.join_days,
    b.gap_days,
    b.episode_key,
    b.begin_date,
    b.active_before,
    b.endocrine_before,
    k.kept_before,
    b.window_observed,
    p.event_date,
    p.relapse_date,
    p.stop_date,
    coalesce(b.paused_since <= greatest(p.event_date, p.relapse_date, p.stop_date), false) as resumed,
    coalesce(date_diff('day', n.any_before, b.begin_date) > b.gap_days, false) as after_gap,
    not n.active_after as endocrine_alone
from begins as b
inner join neighbours as n
    on
        b.join_days = n.join_days
        and b.gap_days = n.gap_days
        and b.episode_key = n.episode_key
        and b.begin_date = n.begin_date
left join progressed as p
    on
        b.join_days = p.join_days
        and b.gap_days = p.gap_days
        and b.episode_key = p.episode_key
        and b.begin_date = p.begin_date
left join kept as k
    on
        b.join_days = k.join_days
        and b.gap_days = k.gap_days
        and b.episode_key = k.episode_key
        and b.begin_date = k.begin_date;

-- line_starts: one row a window and line: its number, first day, and why it began.
-- First, the first line; then from each line the first day that can start the next one, until none is left. A drug is
-- new where it was last given before the line's start. progression needs one on record after that start (a relapse
-- seen in the join window of the first line is staging, which is over by the next); drug-change means that no active
-- drug of the line is kept.
create or replace temp table line_starts as
with recursive walk as (
    select
        w.join_days,
        w.gap_days,
        f.episode_key,
        1 as line_number,
        f.start_date,
        'first' as began_by
    from first_lines as f
    inner join line_windows as w on f.is_middle or w.is_default
    union all
    select
        n.join_days,
        n.gap_days,
        n.episode_key,
        n.line_number + 1 as line_number,
        min(n.begin_date) as start_date,
        arg_min(n.began_by, n.begin_date) as began_by
    from (
        select
            p.*,
            case
                when (p.active_before < p.start_date or p.resumed) and p.progressed then 'progression'
                when p.active_before < p.start_date and p.after_gap then 'gap'
                when
                    p.active_before < p.start_date
                    and p.window_observed
                    and coalesce(p.kept_before < p.start_date, true) then 'drug-change'
                when not p.endocrine_alone or not p.window_observed then null
                when p.endocrine_before < p.start_date and p.progressed then 'progression'
                when p.endocrine_before < p.start_date and p.after_gap then 'gap'
            end as began_by
        from (
            select
                c.*,
                w.line_number,
                w.start_date,
                coalesce(
                    c.event_date > w.start_date
                    or c.relapse_date > w.start_date + case when w.line_number = 1 then w.join_days else 0 end
                    or c.stop_date >= w.start_date,
                    false
                ) as progressed
            from walk as w
            inner join line_candidates as c
                on w.join_days = c.join_days and w.gap_days = c.gap_days and w.episode_key = c.episode_key
            where c.begin_date > w.start_date + w.join_days
        ) as p
    ) as n
    where n.began_by is not null
    group by
        n.join_days,
        n.gap_days,
        n.episode_key,
        n.line_number
)

select *
from walk;
