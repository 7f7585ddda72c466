-- Neoadjuvant treatment of stage II-III HER2-positive cancer holds pertuzumab beside trastuzumab.
-- denominator: neoadjuvant courses with trastuzumab, HER2-positive, M0, above 20 mm or node-positive or inflammatory.
with neoadjuvant as (
    select
        t.*,
        case $population
            when 'all-early' then true
            when 'high-risk'
                then
                    case
                        when t.node_positive or t.inflammatory or t.over_50_mm then true
                        when not t.node_positive and not t.over_50_mm then false
                    end
            else case
                when t.node_positive or t.inflammatory then true
                when t.exactly_20_mm and $size = '20-mm-or-more' then true
                when t.over_20_mm and not coalesce(t.exactly_20_mm, false) then true
                when (t.exactly_20_mm or not t.over_20_mm) and not t.node_positive then false
            end
        end as in_scope
    from fct_tumours as t
    where t.is_index
),

doses as (
    select
        n.episode_key,
        min(a.dose_date) filter (where a.has_trastuzumab) as first_trastuzumab_date,
        max(a.dose_date) as last_antibody_date,
        min(a.dose_date) filter (where a.has_pertuzumab) as first_pertuzumab_date,
        max(a.dose_date) filter (where a.has_pertuzumab) as last_pertuzumab_date,
        count(*) filter (where a.has_trastuzumab) as trastuzumab_dates,
        count(*) filter (where a.has_pertuzumab) as pertuzumab_dates,
        count(*) filter (where a.together) as dual_dates,
        -- As many as there may have been, wherever the doses of a course were given between its first day and its end.
        count(*) filter (where a.pertuzumab_single and (a.together or a.beside_trastuzumab_course))
        + least(
            count(*) filter (where a.pertuzumab_derived and not a.pertuzumab_single),
            count(*) filter (where a.has_trastuzumab and a.beside_pertuzumab_course)
        ) as dual_dates_at_most,
        bool_or(a.derived) as derived,
        count(*) filter (where a.is_regimen and a.has_pertuzumab) as regimen_dates,
        bool_or(a.pertuzumab_open or coalesce(a.pertuzumab_in_sequence, false)) as pertuzumab_not_counted,
        bool_or(a.trastuzumab_open or a.trastuzumab_in_sequence) as trastuzumab_not_counted,
        max(a.pertuzumab_stop) filter (
            where a.pertuzumab_stop in ('toxicity', 'patient-refusal', 'progression')
        ) as pertuzumab_stop,
        list_sort(list(cast(a.dose_date as varchar)) filter (where a.has_pertuzumab)) as pertuzumab_days
    from neoadjuvant as n
    inner join fct_antibody_days as a on n.episode_key = a.episode_key
    where n.pathway = 'neoadjuvant' and (n.first_surgery_date is null or a.dose_date < n.first_surgery_date)
    group by n.episode_key
),

progressions as (
    select distinct d.episode_key
    from doses as d
    inner join neoadjuvant as n on d.episode_key = n.episode_key
    inner join fct_interruptions as i on d.episode_key = i.episode_key
    where
        i.kind = 'progression'
        and i.event_date >= d.first_trastuzumab_date
        and (n.first_surgery_date is null or i.event_date <= n.first_surgery_date)
),

before_surgery as (
    select
        n.episode_key,
        min(s.first_dose_date) filter (where s.ingredient = 'trastuzumab-deruxtecan') as deruxtecan_date,
        bool_or(s.first_progression_stop_date < coalesce(n.first_surgery_date, date '9999-12-31'))
            as stopped_for_progression
    from neoadjuvant as n
    inner join fct_drug_spans as s on n.episode_key = s.episode_key
    where s.setting = 'curative'
    group by n.episode_key
),

judged as (
    select
        n.*,
        d.first_trastuzumab_date,
        d.trastuzumab_dates,
        d.first_pertuzumab_date,
        d.last_pertuzumab_date,
        coalesce(d.pertuzumab_dates, 0) as pertuzumab_dates,
        coalesce(d.dual_dates, 0) as dual_dates,
        d.dual_dates_at_most,
        d.derived,
        d.pertuzumab_days,
        d.regimen_dates = 1 and d.pertuzumab_dates = 1 as by_regimen_name,
        d.pertuzumab_not_counted
        or d.regimen_dates = 1
        or (d.trastuzumab_not_counted and d.pertuzumab_dates >= $min_pertuzumab_doses) as doses_not_counted,
        d.pertuzumab_stop,
        d.trastuzumab_dates < $min_cycles
        and (b.stopped_for_progression or p.episode_key is not null) as progressed_early,
        y.first_trial_date < coalesce(n.first_surgery_date, date '9999-12-31') as in_trial,
        coalesce(b.deruxtecan_date between $deruxtecan_accepted_from and d.first_trastuzumab_date, false)
            as after_deruxtecan,
        coalesce(n.first_surgery_date, n.last_curative_date + $open_course_days) as course_end
    from neoadjuvant as n
    left join doses as d on n.episode_key = d.episode_key
    left join progressions as p on n.episode_key = p.episode_key
    left join before_surgery as b on n.episode_key = b.episode_key
    left join fct_first_trials as y on n.episode_key = y.episode_key
),

-- Why pertuzumab that had begun was stopped, as dated events and hearts say.
toxicities as (
    select
        j.episode_key,
        min(e.reason) as reason
    from judged as j
    inner join fct_toxicity_stops as e on j.episode_key = e.episode_key
    where e.event_date between j.first_pertuzumab_date and j.last_pertuzumab_date + $stop_lookahead_days
    group by j.episode_key
),

weighed as (
    select
        j.*,
        coalesce(
            j.pertuzumab_stop,
            x.reason,
            case
                when
                    w.first_weak_date
                    <= coalesce(j.last_pertuzumab_date + $stop_lookahead_days, j.course_end)
                    then 'contraindication-cardiac'
            end
        ) as stop_reason
    from judged as j
    left join toxicities as x on j.episode_key = x.episode_key
    left join fct_early_weak_hearts as w on j.episode_key = w.episode_key
)

select
    'neoadjuvant' as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_trastuzumab_date as decision_date,
    course_end as due_date,
    first_trastuzumab_date as clock_start,
    coalesce(diagnosis_date, date '0001-01-01') as observed_from,
    date '0001-01-01' as drugs_from,
    course_end as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when pathway <> 'neoadjuvant' then 'not-neoadjuvant'
        when first_trastuzumab_date is null then 'no-trastuzumab'
        when not in_scope then 'stage-i'
        when progressed_early then 'stopped-for-progression'
    end as excluded,
    case
        when in_scope is null then 'stage-unknown'
        when dual_dates < $min_pertuzumab_doses and not by_regimen_name and doses_not_counted then 'no-end-date'
        when
            dual_dates < $min_pertuzumab_doses
            and dual_dates_at_most >= $min_pertuzumab_doses then 'doses-not-dated'
    end as missing_reason,
    case
        when missing_reason = 'doses-not-dated' then ['treatments.start_date']
        when in_scope is not null then ['treatments.end_date']
        when t is null and size_mm is null and node_positive is null then ['tumours.clinical_t', 'tumours.clinical_n']
        when node_positive is null then ['tumours.clinical_n']
        else ['tumours.clinical_t']
    end as missing,
    case
        when dual_dates >= $min_pertuzumab_doses and after_deruxtecan then 'deruxtecan-then-dual-blockade'
        when dual_dates >= $min_pertuzumab_doses then 'dual-blockade'
        when by_regimen_name then 'regimen-name'
    end as met,
    case
        when in_trial then 'trial'
        else stop_reason
    end as excepted,
    -- Where every trastuzumab had its pertuzumab, it is treatment as a whole that ended early.
    case when dual_dates >= trastuzumab_dates then ['both'] else ['pertuzumab'] end as lacking,
    case when pertuzumab_dates = 0 then 'pertuzumab-not-recorded' else 'too-few-pertuzumab-doses' end as failed,
    case when excluded is null then to_json(struct_pack(
        first_trastuzumab_date := first_trastuzumab_date,
        trastuzumab_dates := trastuzumab_dates,
        pertuzumab_dates := pertuzumab_days,
        pertuzumab_with_trastuzumab := dual_dates,
        derived_from_course_dates := derived,
        first_surgery_date := first_surgery_date,
        t := t,
        n := n,
        her2_basis := her2_basis
    )) end as evidence
from weighed
