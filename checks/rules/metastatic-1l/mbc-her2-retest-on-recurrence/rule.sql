-- HER2 is tested again on metastatic tissue at the first distant recurrence.
-- denominator: episodes, HER2-positive, M0, with a distant metastasis later and systemic treatment of it.
with recurred as (
    select
        t.*,
        l.start_date,
        l.regimen,
        greatest(l.start_date, t.metastatic_date) + $after_days as due_date
    from fct_tumours as t
    left join fct_lines as l on t.episode_key = l.episode_key and l.line_number = 1
    where t.is_index and t.metastatic_date is not null
),

sites as (
    select
        r.episode_key,
        bool_and(coalesce(m.site = 'bone', false)) or bool_and(coalesce(m.site = 'brain', false)) as one_hard_site,
        list_sort(list(cast(m.event_date as varchar) || ' ' || coalesce(m.site, 'site not recorded'))) as metastases
    from recurred as r
    inner join fct_metastases as m on r.episode_key = m.episode_key
    where m.event_date <= r.due_date
    group by r.episode_key
),

reasons as (
    select distinct r.episode_key
    from recurred as r
    inner join stg_exceptions as x on r.patient_key = x.patient_key
    inner join rule_topics as t on x.topic_name = t.topic
    inner join rule_reasons as a on x.reason = a.reason
    left join fct_episodes as o on x.patient_key = o.patient_key and x.tumour_id = o.tumour_id
    where x.tumour_id is null or o.episode_key = r.episode_key
),

samples as (
    select
        r.episode_key,
        s.specimen_date,
        s.specimen_site <> 'primary' as of_metastasis,
        s.result,
        s.specimen_date between r.metastatic_date - $before_days and r.due_date as in_window,
        -- Reported after the window, and taken nobody knows when.
        s.dated_by_report and s.specimen_date > r.due_date as reported_later,
        cast(s.specimen_date as varchar) || ' ' || s.specimen_site || ': ' || s.result as described
    from recurred as r
    inner join fct_episodes as e on r.episode_key = e.episode_key
    inner join fct_specimens as s on e.patient_key = s.patient_key and e.tumour_id = s.tumour_id
    where s.result is not null
),

tested as (
    select
        episode_key,
        min(specimen_date) filter (where in_window and of_metastasis) as retested_date,
        bool_or(in_window and of_metastasis and result = 'positive') as positive,
        bool_or(in_window and of_metastasis and result = 'equivocal') as equivocal,
        bool_or(in_window and not of_metastasis) as site_unclear,
        bool_or(reported_later) as reported_later,
        list_sort(list(described)) as specimens,
        coalesce(list_sort(list(described) filter (where in_window)), []) as in_window
    from samples
    group by episode_key
),

judged as (
    select
        r.*,
        s.one_hard_site and x.episode_key is not null as out_of_reach,
        s.metastases,
        t.retested_date,
        t.positive,
        t.equivocal,
        coalesce(t.site_unclear, false) as site_unclear,
        t.reported_later,
        u.episode_key is not null and r.due_date <= p.observable_through as start_undated,
        t.specimens,
        t.in_window
    from recurred as r
    inner join stg_patients as p on r.patient_key = p.patient_key
    left join fct_undated_line_starts as u on r.episode_key = u.episode_key
    left join sites as s on r.episode_key = s.episode_key
    left join reasons as x on r.episode_key = x.episode_key
    left join tested as t on r.episode_key = t.episode_key
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    metastatic_date as decision_date,
    due_date,
    metastatic_date as clock_start,
    metastatic_date - $before_days as observed_from,
    case
        when outside_early_her2 is not null then outside_early_her2
        when start_date is null then 'no-line'
        when out_of_reach then 'out-of-reach'
    end as excluded,
    case
        when retested_date is not null then null
        when site_unclear then 'specimen-site-unclear'
        when reported_later then 'specimen-date-unclear'
        when start_undated then 'line-start-undated'
    end as missing_reason,
    case missing_reason
        when 'specimen-site-unclear' then ['receptor_tests.specimen_site']
        when 'specimen-date-unclear' then ['receptor_tests.specimen_date']
        when 'line-start-undated' then ['treatments.start_date']
    end as missing,
    case
        when retested_date is null then null
        when positive then 'still-positive'
        when equivocal then 'now-equivocal'
        else 'now-negative'
    end as met,
    'not-retested' as failed,
    date_diff('day', retested_date, due_date) as margin_days,
    to_json(struct_pack(
        metastatic_date := metastatic_date,
        metastases := metastases,
        line_start_date := start_date,
        regimen := regimen,
        specimens_in_window := in_window,
        specimens := specimens,
        her2_basis := her2_basis
    )) as evidence
from judged
