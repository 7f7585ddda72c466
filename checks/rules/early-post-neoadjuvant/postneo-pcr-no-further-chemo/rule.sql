-- After a pathologic complete response to a complete neoadjuvant programme no cytotoxic chemotherapy follows.
-- denominator: tumours, HER2-positive, M0, complete response at surgery after a complete neoadjuvant programme.
with operated as (
    select
        t.*,
        p.observable_through,
        p.transfer_in_date,
        u.tumour_id is not null as surgery_unclear,
        u.missing as unclear_columns,
        coalesce(t.first_surgery_date, u.latest_date, date '9999-12-31') as before_date,
        coalesce(t.last_surgery_date, u.latest_date) as decision_date,
        coalesce(t.recurrence_date, date '9999-12-31') as recurs_date,
        t.last_surgery_date + $window_days as window_end,
        least(
            t.last_surgery_date + $window_days,
            coalesce(p.death_date, date '9999-12-31'),
            coalesce(t.recurrence_date, date '9999-12-31')
        ) as settled_date,
        coalesce(d.first_cytotoxic_date < coalesce(t.first_surgery_date, u.latest_date, date '9999-12-31'), false)
            as has_chemotherapy
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join fct_unclear_surgeries as u on t.patient_key = u.patient_key and t.tumour_id = u.tumour_id
    left join fct_first_doses as d on t.episode_key = d.episode_key
),

-- Whose chemotherapy is looked at: of the others it is known already why the rule does not concern them.
responding as (
    select
        patient_key,
        tumour_id,
        episode_key,
        response,
        before_date,
        last_surgery_date,
        recurs_date
    from operated
    where
        outside_early_her2 is null
        and pathway = 'neoadjuvant'
        and has_chemotherapy
        and response is distinct from 'residual'
),

drugs as (
    select
        o.patient_key,
        o.tumour_id,
        c.ingredient,
        bool_or(c.is_taxane and c.stop_reason in ('toxicity', 'patient-refusal', 'progression', 'other'))
            as taxane_stopped,
        (bool_or(c.is_taxane) or bool_or(c.is_anthracycline))
        and (bool_or(c.open_course or c.in_sequence) or (bool_or(c.is_regimen) and count(*) = 1)) as not_counted,
        c.ingredient
        || ' on '
        || cast(count(*) as varchar)
        || ' days, '
        || cast(min(c.dose_date) as varchar)
        || ' to '
        || cast(max(c.dose_date) as varchar) as given
    from responding as o
    inner join fct_cytotoxic_days as c on o.episode_key = c.episode_key
    where c.setting = 'curative' and c.dose_date < o.before_date
    group by
        o.patient_key,
        o.tumour_id,
        c.ingredient
),

courses as (
    select
        patient_key,
        tumour_id,
        bool_or(taxane_stopped) as taxane_stopped,
        bool_or(not_counted) as not_counted,
        list_sort(list(given)) as given
    from drugs
    group by
        patient_key,
        tumour_id
),

programme_days as (
    select
        o.patient_key,
        o.tumour_id,
        c.dose_date,
        max(c.cycle_days) as cycle_days,
        -- A name told in sequence puts both on each of its days, and one of them was given.
        max(c.cycle_days) filter (where c.is_taxane and not c.in_sequence) as taxane_days,
        max(c.cycle_days) filter (where c.is_anthracycline and not c.in_sequence) as anthracycline_days
    from responding as o
    inner join fct_cytotoxic_days as c on o.episode_key = c.episode_key
    where
        c.setting = 'curative'
        and c.dose_date < o.before_date
        and (c.is_taxane or c.is_anthracycline)
    group by
        o.patient_key,
        o.tumour_id,
        c.dose_date
),

programmes as (
    select
        patient_key,
        tumour_id,
        sum(cycle_days) as cycle_days,
        sum(cycle_days) >= $min_programme_cycles * $three_weekly_days
        or (
            coalesce(sum(anthracycline_days), 0) >= $min_anthracycline_cycles * $three_weekly_days
            and coalesce(sum(taxane_days), 0) >= $min_taxane_cycles * $three_weekly_days
        ) as is_complete
    from programme_days
    group by
        patient_key,
        tumour_id
),

doses_after_surgery as (
    select
        o.patient_key,
        o.tumour_id,
        d.dose_date,
        d.ingredient,
        i.is_her2_conjugate,
        i.is_cytotoxic and d.ingredient <> 'methotrexate' as is_chemotherapy
    from responding as o
    inner join fct_doses as d on o.episode_key = d.episode_key
    inner join ingredients as i on d.ingredient = i.ingredient
    where
        o.response = 'pcr'
        and d.setting = 'curative'
        and d.dose_date > o.last_surgery_date
        and d.dose_date < o.recurs_date
),

after_surgery as (
    select
        patient_key,
        tumour_id,
        min(dose_date) filter (where is_chemotherapy) as chemotherapy_date,
        list_sort(list(distinct ingredient) filter (where is_chemotherapy)) as chemotherapy,
        min(dose_date) filter (where is_her2_conjugate) as conjugate_date
    from doses_after_surgery
    group by
        patient_key,
        tumour_id
),

trials as (
    select distinct
        o.patient_key,
        o.tumour_id
    from operated as o
    inner join fct_trials as y on o.episode_key = y.episode_key
    where y.through_date > o.last_surgery_date and y.from_date <= o.window_end
),

-- A tumour with a complete response needs no chemotherapy of its own, and so the judged tumour is none of them.
other_tumours as (
    select distinct
        o.patient_key,
        o.tumour_id
    from operated as o
    inner join fct_tumours as x on o.patient_key = x.patient_key
    where
        x.invasive
        and coalesce(x.response, 'unknown') <> 'pcr'
        and (x.episode_key = o.episode_key or x.diagnosis_date between o.diagnosis_date and o.window_end)
),

second_primaries as (
    select distinct
        o.patient_key,
        o.tumour_id
    from operated as o
    inner join fct_interruptions as i on o.episode_key = i.episode_key
    where i.kind = 'second-primary' and i.event_date <= o.window_end
),

judged as (
    select
        o.*,
        c.given,
        c.taxane_stopped,
        c.not_counted,
        coalesce(p.is_complete, false) as is_complete,
        round(coalesce(p.cycle_days, 0) / $three_weekly_days, 1) as equivalents,
        a.chemotherapy,
        a.chemotherapy_date,
        coalesce(a.chemotherapy_date <= o.window_end, false) as chemotherapy_given,
        case when a.conjugate_date <= o.window_end then a.conjugate_date end as conjugate_date,
        y.patient_key is not null as in_trial,
        x.patient_key is not null or s.patient_key is not null as has_other_tumour
    from operated as o
    left join courses as c on o.patient_key = c.patient_key and o.tumour_id = c.tumour_id
    left join programmes as p on o.patient_key = p.patient_key and o.tumour_id = p.tumour_id
    left join after_surgery as a on o.patient_key = a.patient_key and o.tumour_id = a.tumour_id
    left join trials as y on o.patient_key = y.patient_key and o.tumour_id = y.tumour_id
    left join other_tumours as x on o.patient_key = x.patient_key and o.tumour_id = x.tumour_id
    left join second_primaries as s on o.patient_key = s.patient_key and o.tumour_id = s.tumour_id
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    decision_date,
    window_end as due_date,
    case when chemotherapy_given then chemotherapy_date else settled_date end as open_until,
    chemotherapy_date as localised_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when pathway <> 'neoadjuvant' then 'not-neoadjuvant'
        when last_surgery_date is null and not surgery_unclear then 'no-surgery'
        when not has_chemotherapy then 'no-neoadjuvant-chemotherapy'
        when response = 'residual' then 'residual-disease'
        when taxane_stopped then 'taxane-stopped-early'
        when not is_complete and not not_counted then 'incomplete-programme'
    end as excluded,
    case
        when last_surgery_date is null then 'surgery-unclear'
        when response = 'unknown' then 'response-unknown'
        when not is_complete then 'no-end-date'
        when not chemotherapy_given and transfer_in_date > last_surgery_date then 'transferred-in'
    end as missing_reason,
    case missing_reason
        when 'surgery-unclear' then unclear_columns
        when 'response-unknown' then response_lacking
        when 'no-end-date' then ['treatments.end_date']
        when 'transferred-in' then ['patients.transfer_in_date']
    end as missing,
    case
        when chemotherapy_given or settled_date > observable_through then null
        when conjugate_date is not null then 'flag-conjugate-after-pcr'
        else 'no-chemotherapy'
    end as met,
    case
        when chemotherapy_given and in_trial then 'trial'
        when chemotherapy_given and has_other_tumour then 'other-tumour'
    end as excepted,
    case when chemotherapy_given then ['chemotherapy'] else [] end as lacking,
    'chemotherapy-after-pcr' as failed,
    date_diff('day', window_end, chemotherapy_date) - 1 as margin_days,
    case when excluded is null then to_json(struct_pack(
        chemotherapy_before_surgery := given,
        three_weekly_equivalents := equivalents,
        last_surgery_date := last_surgery_date,
        response := response,
        first_chemotherapy_date_after_surgery := chemotherapy_date,
        chemotherapy_after_surgery := chemotherapy,
        first_conjugate_date_after_surgery := conjugate_date,
        her2_basis := her2_basis
    )) end as evidence
from judged
