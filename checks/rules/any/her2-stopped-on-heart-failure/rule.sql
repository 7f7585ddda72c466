-- HER2-targeted treatment is stopped for heart failure, or for an LVEF fall that lasts or keeps coming back.
-- denominator: patients given a HER2 antibody, T-DM1 or T-DXd, at the first such event on treatment.
with falls as (
    select
        *,
        early_dose_date is null and not early_derived as held
    from fct_lvef_falls
    where text = 'label' and known_methods
),

counted as (
    select
        *,
        sum(case when held then 1 else 0 end) over (
            partition by episode_key, setting
            order by from_date
            rows between unbounded preceding and 1 preceding
        ) as held_before
    from falls
),

heart_failures as (
    select
        s.episode_key,
        s.setting,
        e.row_number,
        e.event_date,
        e.grade,
        e.action,
        max(h.dose_date) as last_dose_date
    from stg_events as e
    inner join fct_her2_settings as s on e.patient_key = s.patient_key
    inner join fct_her2_days as h
        on
            s.episode_key = h.episode_key
            and s.setting = h.setting
            and h.dose_date between e.event_date - $exposed_days and e.event_date
    where e.event = 'heart_failure'
    group by
        s.episode_key,
        s.setting,
        e.row_number,
        e.event_date,
        e.grade,
        e.action
),

beside as (
    select
        e.episode_key,
        e.setting,
        e.row_number,
        bool_or(f.from_date is not null) as with_fall
    from heart_failures as e
    left join falls as f
        on
            e.episode_key = f.episode_key
            and e.setting = f.setting
            and f.from_date <= e.event_date + $beside_days
            and (
                f.from_date >= e.event_date - $beside_days
                or coalesce(f.recovered_date, date '9999-12-31') > e.event_date
            )
    group by
        e.episode_key,
        e.setting,
        e.row_number
),

happened as (
    select
        e.episode_key,
        e.setting,
        'heart-failure' as kind,
        e.event_date,
        e.grade,
        e.action,
        b.with_fall or e.grade is not null or coalesce(e.action <> 'none', false) as known
    from heart_failures as e
    inner join beside as b
        on e.episode_key = b.episode_key and e.setting = b.setting and e.row_number = b.row_number
    where b.with_fall or coalesce(e.grade >= $severe_grade, true)
    union all
    select
        episode_key,
        setting,
        'lasting-fall' as kind,
        lasting_date as event_date,
        cast(null as integer) as grade,
        cast(null as varchar) as action,
        true as known
    from falls
    where lasting_date is not null
    union all
    select
        episode_key,
        setting,
        'repeated-falls' as kind,
        from_date as event_date,
        cast(null as integer) as grade,
        cast(null as varchar) as action,
        true as known
    from counted
    where held_before >= $max_suspensions
),

first_events as (
    select
        *,
        row_number() over (
            partition by episode_key
            order by
                case when known then 0 else 1 end,
                event_date,
                kind,
                coalesce(-grade, 0),
                action,
                setting
        ) as position
    from happened
),

treated as (
    select distinct episode_key
    from fct_her2_settings
),

subjects as (
    select
        t.patient_key,
        t.tumour_id,
        t.site_id,
        t.episode_key,
        t.invasive,
        t.m_status,
        s.episode_key is not null as treated,
        p.observable_through,
        coalesce(p.death_date <= p.observable_through, false) as died,
        e.* exclude (episode_key, position),
        e.event_date + $lvef_action_days as due_date
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join treated as s on t.episode_key = s.episode_key
    left join first_events as e on t.episode_key = e.episode_key and e.position = 1
    where t.is_index
),

-- Metastases found meanwhile make no new treatment of what goes on within a course's gap.
doses as (
    select
        s.episode_key,
        max(case when h.dose_date <= s.due_date then h.dose_date end) as last_dose_date,
        min(case when h.dose_date > s.due_date then h.dose_date end) as next_dose_date,
        min(case when h.dose_date > s.due_date and not (h.derived or h.in_sequence) then h.dose_date end)
            as next_exact_date,
        bool_or(h.dose_date > s.due_date and h.setting = 'metastatic') as resumed_in_metastatic,
        bool_or(h.open_course) as unended
    from subjects as s
    inner join fct_her2_days as h
        on
            s.episode_key = h.episode_key
            and (s.setting = h.setting or h.dose_date <= s.event_date + $course_gap_days)
    group by s.episode_key
),

hearts as (
    select
        s.episode_key,
        bool_or(a.lvef_percent >= $lvef_low or a.result = 'normal') as normal,
        bool_or(a.lvef_percent < $lvef_low) as low,
        list_sort(list(
            cast(a.assessment_date as varchar) || ': '
            || coalesce(cast(a.lvef_percent as varchar), a.result, 'no value')
        )) as assessments
    from subjects as s
    inner join stg_cardiac_assessments as a on s.patient_key = a.patient_key
    where a.assessment_date between s.event_date - $beside_days and s.event_date + $beside_days
    group by s.episode_key
),

decisions as (
    select distinct s.episode_key
    from subjects as s
    inner join stg_exceptions as x on s.patient_key = x.patient_key
    inner join rule_topics as t on x.topic_name = t.topic
    inner join rule_reasons as r on x.reason = r.reason
    left join fct_episodes as e on x.patient_key = e.patient_key and x.tumour_id = e.tumour_id
    where x.tumour_id is null or e.episode_key = s.episode_key
),

imprecise_hearts as (
    select distinct patient_key
    from stg_cardiac_assessments
    where span_days > 0
),

judged as (
    select
        s.*,
        s.kind <> 'heart-failure' and i.patient_key is not null as imprecise,
        d.last_dose_date,
        d.next_dose_date,
        d.next_exact_date,
        d.unended,
        h.assessments,
        d.next_exact_date is not null as fails,
        s.kind = 'heart-failure' and coalesce(h.normal, false) and not coalesce(h.low, false) as heart_normal,
        d.resumed_in_metastatic and x.episode_key is not null as decided
    from subjects as s
    left join doses as d on s.episode_key = d.episode_key
    left join hearts as h on s.episode_key = h.episode_key
    left join decisions as x on s.episode_key = x.episode_key
    left join imprecise_hearts as i on s.patient_key = i.patient_key
)

select
    'her2-stop' as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    event_date as decision_date,
    due_date,
    event_date as observed_from,
    case
        when not treated then 'no-her2-antibody-or-conjugate'
        when not invasive then 'in-situ'
        when event_date is null then 'no-event'
        when setting = 'curative' and m_status = 'unknown' then 'm-unknown'
    end as excluded,
    case
        when decided then null
        when fails and imprecise then 'imprecise-date'
        when fails and not known then 'grade-not-recorded'
        when not fails and (next_dose_date is not null or unended) then 'doses-not-dated'
    end as missing_reason,
    case missing_reason
        when 'imprecise-date' then ['cardiac_assessments.assessment_date']
        when 'grade-not-recorded' then ['events.grade']
        else ['treatments.start_date']
    end as missing,
    case
        when decided then 'decision-documented'
        when not fails and (observable_through >= due_date or died) then 'stopped'
    end as met,
    case when fails and heart_normal then ['unrelated'] else cast([] as varchar[]) end as lacking,
    case kind
        when 'heart-failure' then 'given-after-heart-failure'
        when 'lasting-fall' then 'given-after-lasting-fall'
        else 'given-after-repeated-falls'
    end as failed,
    date_diff('day', next_exact_date, due_date) as margin_days,
    case when excluded is null then to_json(struct_pack(
        event := kind,
        event_date := event_date,
        grade := grade,
        action := action,
        setting := setting,
        last_dose_date := last_dose_date,
        first_dose_after_action_days := next_dose_date,
        lvef_near_the_event := assessments
    )) end as evidence
from judged
